import { AwsIntegration, type Integration, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { JOB_ROUTES, type RouteTree } from '../../core/api/routes.ts';
import { FUNCTIONS } from '../../core/functions/functions.ts';
import { ServiceFunction, type ServiceFunctionOptions } from '../functions/service-function.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { CallerAuthorizer } from './caller-authorizer.ts';
import { methodArns } from './method-arns.ts';

/** Settings of {@link JobRoutes}. */
export interface JobRoutesProps extends Required<ServiceFunctionOptions> {
  /** The API to add the routes to. */
  readonly restApi: RestApi;
  /** Admits the callers of its methods. */
  readonly authorizer: CallerAuthorizer;
  /** The jobs behind them. */
  readonly jobs: Jobs;
}

/** The routes of jobs, webhooks, files, uploads and batches, and the two functions behind them. */
export class JobRoutes extends Construct {
  /** The functions by name. */
  readonly functions: ReadonlyMap<RouteTree['answeredBy'], ServiceFunction>;

  constructor(scope: Construct, id: string, props: JobRoutesProps) {
    super(scope, id);
    const names = new Set(JOB_ROUTES.map(({ answeredBy }) => answeredBy));
    this.functions = new Map([...names].map((name) => [name, this.#createFunction(name, props)]));
    const integrations = new Map([...this.functions].map(([name, fn]) => [name, integrate(fn, props.restApi)]));
    for (const { path, answeredBy, access } of JOB_ROUTES) {
      const integration = integrations.get(answeredBy);
      for (const one of [path, `${path}/{proxy+}`]) {
        props.restApi.root.resourceForPath(one).addMethod('ANY', integration, props.authorizer.methodOptions(access));
      }
    }
  }

  #createFunction(name: RouteTree['answeredBy'], props: JobRoutesProps): ServiceFunction {
    const { restApi: _, authorizer: __, jobs, ...options } = props;
    const { description, memoryMiB, timeoutSeconds } = FUNCTIONS[name];
    const created = new ServiceFunction(this, name, {
      ...options,
      description,
      memoryMiB,
      timeoutSeconds,
      ...jobs.functionOf(name),
    });
    jobs.grantAccess(name, created);
    return created;
  }
}

/** The gateway may invoke the function for this API's stage, with one permission for all routes. */
function integrate({ fn }: ServiceFunction, restApi: RestApi): Integration {
  fn.addPermission('Gateway', {
    principal: new ServicePrincipal('apigateway.amazonaws.com'),
    sourceArn: methodArns(restApi),
  });
  return new AwsIntegration({
    service: 'lambda',
    path: `2015-03-31/functions/${fn.functionArn}/invocations`,
    proxy: true,
  });
}
