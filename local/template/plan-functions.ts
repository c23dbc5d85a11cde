import { basename } from 'node:path';
import * as v from 'valibot';
import { functionArn } from './physical-names.ts';
import { cfnNumber, cfnTexts, ofType, readProperties } from './properties.ts';
import type { StackDocument } from './read-assembly.ts';
import type { Resource } from './resolve-stacks.ts';

/** One Lambda function, as the host needs it. */
export interface FunctionPlan {
  readonly name: string;
  /** ARN without a qualifier. */
  readonly arn: string;
  readonly logicalId: string;
  /** Name of its log file: the end of its construct's path if that is known, else the name of the function. */
  readonly logName: string;
  readonly handler: string;
  /** Folder of the function's code. */
  readonly taskRoot: string;
  readonly memoryMiB: number;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly roleArn: string;
  readonly logGroup: string;
  /** Maximum number of concurrent invocations, if concurrency is reserved. */
  readonly reservedConcurrency: number | undefined;
  /** Version that each qualifier means: `$LATEST`, the versions themselves and the aliases. */
  readonly qualifiers: Readonly<Record<string, string>>;
  /** Environments that provisioned concurrency keeps initialized, by version. */
  readonly provisioned: Readonly<Record<string, number>>;
}

/** A grant to invoke a function, from `AWS::Lambda::Permission`. */
export interface InvokePermission {
  /** ARN of the function, its qualifier included. */
  readonly functionArn: string;
  readonly principal: string;
  /** Pattern that the caller's ARN must match; absent where any caller of the principal may. */
  readonly sourceArn: string | undefined;
}

/** Something in the template that local mode cannot run, and why. */
export interface NotRun {
  readonly resource: string;
  readonly type: string;
  readonly reason: string;
}

const functionSchema = v.object({
  Code: v.object({ S3Key: v.optional(v.string()) }),
  Handler: v.optional(v.string()),
  Runtime: v.optional(v.string()),
  MemorySize: v.optional(cfnNumber, 128),
  Timeout: v.optional(cfnNumber, 3),
  Environment: v.optional(v.object({ Variables: v.optional(cfnTexts, {}) }), {}),
  Role: v.string('must be the ARN of a role'),
  ReservedConcurrentExecutions: v.optional(cfnNumber),
  LoggingConfig: v.optional(v.object({ LogGroup: v.optional(v.string()) }), {}),
  Layers: v.optional(v.array(v.string()), []),
});

const provisionedSchema = v.optional(v.object({ ProvisionedConcurrentExecutions: cfnNumber }));

const versionSchema = v.object({ FunctionName: v.string(), ProvisionedConcurrencyConfig: provisionedSchema });

const aliasSchema = v.object({
  FunctionName: v.string(),
  FunctionVersion: v.string(),
  Name: v.string(),
  ProvisionedConcurrencyConfig: provisionedSchema,
});

const scalableTargetSchema = v.object({
  ResourceId: v.string(),
  ScalableDimension: v.string(),
  MinCapacity: cfnNumber,
});

const permissionSchema = v.object({
  Action: v.string(),
  FunctionName: v.string(),
  Principal: v.string(),
  SourceArn: v.optional(v.string()),
});

/**
 * Describes the Lambda functions of an app.
 *
 * @returns The functions that can run here, and those that cannot with the reason.
 * @throws AppError `TEMPLATE_INVALID` when a function, version or alias is malformed.
 */
export function planFunctions(
  resources: readonly Resource[],
  stacks: readonly StackDocument[],
): { readonly functions: FunctionPlan[]; readonly notRun: NotRun[] } {
  const functions: FunctionPlan[] = [];
  const notRun: NotRun[] = [];
  for (const resource of ofType(resources, 'AWS::Lambda::Function')) {
    const properties = readProperties(resource, functionSchema);
    const taskRoot = findAsset(properties.Code.S3Key, resource.stack, stacks);
    const reason = taskRoot === undefined ? 'its code is not an asset of the app' : whyNot(properties);
    if (taskRoot === undefined || reason !== undefined) {
      notRun.push({ resource: resource.logicalId, type: resource.type, reason: reason ?? '' });
      continue;
    }
    const arn = functionArn(resource.ref);
    functions.push({
      name: resource.ref,
      arn,
      logicalId: resource.logicalId,
      logName: resource.ref,
      handler: properties.Handler ?? '',
      taskRoot,
      memoryMiB: properties.MemorySize,
      timeoutMs: properties.Timeout * 1000,
      environment: properties.Environment.Variables ?? {},
      roleArn: properties.Role,
      logGroup: properties.LoggingConfig.LogGroup ?? `/aws/lambda/${resource.ref}`,
      reservedConcurrency: properties.ReservedConcurrentExecutions,
      ...planQualifiers(arn, resources),
    });
  }
  return { functions: withLogNames(functions, stacks), notRun };
}

/** Lists the principals that may invoke each function. */
export function planPermissions(resources: readonly Resource[]): InvokePermission[] {
  return ofType(resources, 'AWS::Lambda::Permission')
    .map((resource) => readProperties(resource, permissionSchema))
    .filter(({ Action: action }) => ['lambda:InvokeFunction', 'lambda:*'].includes(action))
    .map(({ FunctionName: name, Principal: principal, SourceArn: sourceArn }) => ({
      functionArn: name.startsWith('arn:') ? name : functionArn(name),
      principal,
      sourceArn,
    }));
}

function planQualifiers(arn: string, resources: readonly Resource[]): Pick<FunctionPlan, 'qualifiers' | 'provisioned'> {
  const qualifiers: Record<string, string> = { $LATEST: '$LATEST' };
  const provisioned: Record<string, number> = {};
  const keepWarm = (version: string, count: number | undefined): void => {
    if (count !== undefined && count > 0) provisioned[version] = Math.max(provisioned[version] ?? 0, count);
  };
  for (const resource of ofType(resources, 'AWS::Lambda::Version')) {
    const properties = readProperties(resource, versionSchema);
    const version = resource.attributes['Version'];
    if (version === undefined || functionArn(properties.FunctionName) !== arn) continue;
    qualifiers[version] = version;
    keepWarm(version, properties.ProvisionedConcurrencyConfig?.ProvisionedConcurrentExecutions);
  }
  for (const resource of ofType(resources, 'AWS::Lambda::Alias')) {
    const properties = readProperties(resource, aliasSchema);
    if (functionArn(properties.FunctionName) !== arn) continue;
    qualifiers[properties.Name] = properties.FunctionVersion;
    keepWarm(properties.FunctionVersion, properties.ProvisionedConcurrencyConfig?.ProvisionedConcurrentExecutions);
    keepWarm(properties.FunctionVersion, scaledMinimum(`${arn.split(':')[6] ?? ''}:${properties.Name}`, resources));
  }
  return { qualifiers, provisioned };
}

function scaledMinimum(functionAndAlias: string, resources: readonly Resource[]): number | undefined {
  return ofType(resources, 'AWS::ApplicationAutoScaling::ScalableTarget')
    .map((resource) => readProperties(resource, scalableTargetSchema))
    .find(
      (target) =>
        target.ScalableDimension === 'lambda:function:ProvisionedConcurrency' &&
        target.ResourceId === `function:${functionAndAlias}`,
    )?.MinCapacity;
}

/** Construct ids that say nothing about a function: every function has them. */
const COMMON_IDS: ReadonlySet<string> = new Set(['Function', 'Resource', 'Default', '']);

/** Names the log files after the constructs, because names of functions are long and end with a hash. */
function withLogNames(functions: readonly FunctionPlan[], stacks: readonly StackDocument[]): FunctionPlan[] {
  const paths = new Map(stacks.flatMap(({ constructPaths }) => [...constructPaths]));
  const idsOf = ({ logicalId }: FunctionPlan): string[] => {
    const ids = paths.get(logicalId)?.split('/') ?? [];
    return ids.filter((id) => !COMMON_IDS.has(id)).map((id) => id.replaceAll(/[^\w.-]/g, '_'));
  };
  const last = functions.map((fn) => idsOf(fn).at(-1));
  return functions.map((fn, index) => {
    const name = last[index];
    if (name === undefined) return fn;
    return { ...fn, logName: last.filter((other) => other === name).length === 1 ? name : idsOf(fn).join('-') };
  });
}

function findAsset(key: string | undefined, stack: string, stacks: readonly StackDocument[]): string | undefined {
  if (key === undefined) return undefined;
  const hash = basename(key).replace(/\.[a-z]+$/, '');
  return stacks.find(({ name }) => name === stack)?.assets.get(hash);
}

function whyNot(properties: v.InferOutput<typeof functionSchema>): string | undefined {
  const { Runtime: runtime, Layers: layers, Handler: handler } = properties;
  if (runtime === undefined || !runtime.startsWith('nodejs'))
    return `its runtime is ${runtime ?? 'a container image'}, only Node.js runs here`;
  if (layers.length > 0) return 'it has layers, which are not mounted here';
  return handler === undefined ? 'it names no handler' : undefined;
}
