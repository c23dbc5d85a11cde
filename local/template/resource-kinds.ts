import { isCustomResource } from './custom-attributes.ts';

/** How local mode handles a type of resource. */
export type ResourceKind =
  | { readonly kind: 'run' }
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'unknown' };

const RUN = new Set([
  'AWS::ApiGateway::ApiKey',
  'AWS::ApiGateway::Authorizer',
  'AWS::ApiGateway::Deployment',
  'AWS::ApiGateway::GatewayResponse',
  'AWS::ApiGateway::Method',
  'AWS::ApiGateway::Model',
  'AWS::ApiGateway::RequestValidator',
  'AWS::ApiGateway::Resource',
  'AWS::ApiGateway::RestApi',
  'AWS::ApiGateway::Stage',
  'AWS::ApiGateway::UsagePlan',
  'AWS::ApiGateway::UsagePlanKey',
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::DynamoDB::GlobalTable',
  'AWS::DynamoDB::Table',
  'AWS::Events::EventBus',
  'AWS::Events::Rule',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::Alias',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Lambda::Version',
  'AWS::S3::Bucket',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
  'AWS::SQS::Queue',
  'AWS::SSM::Parameter',
  'AWS::SageMaker::Endpoint',
  'AWS::SageMaker::EndpointConfig',
  'AWS::SageMaker::Model',
]);

const IGNORED: Readonly<Record<string, string>> = {
  'AWS::ApiGateway::Account': 'only sets where API Gateway writes its own logs',
  'AWS::ApplicationAutoScaling::ScalingPolicy': 'nothing scales here; the minimum is kept warm',
  'AWS::Budgets::Budget': 'nothing costs anything here',
  'AWS::CDK::Metadata': 'a note of the AWS CDK',
  'AWS::CloudWatch::Alarm': 'no alarms here; look at the logs',
  'AWS::CloudWatch::CompositeAlarm': 'no alarms here; look at the logs',
  'AWS::CloudWatch::Dashboard': 'no dashboards here; look at the logs',
  'AWS::Events::Archive': 'events are not kept here',
  'AWS::Events::EventBusPolicy': 'callers are judged by their own policies here',
  'AWS::KMS::Alias': 'nothing is encrypted at rest here',
  'AWS::KMS::Key': 'nothing is encrypted at rest here',
  'AWS::Lambda::EventInvokeConfig': 'asynchronous invocations are not retried here',
  'AWS::Logs::LogGroup': 'logs are files under the logs folder',
  'AWS::Logs::MetricFilter': 'no metrics here; look at the logs',
  'AWS::Logs::QueryDefinition': 'no saved queries here; look at the logs',
  'AWS::Logs::ResourcePolicy': 'logs are files under the logs folder',
  'AWS::S3::BucketPolicy': 'callers are judged by their own policies here',
  'AWS::SNS::TopicPolicy': 'callers are judged by their own policies here',
  'AWS::SQS::QueuePolicy': 'callers are judged by their own policies here',
  'AWS::WAFv2::WebACL': 'requests are not filtered here',
  'AWS::WAFv2::WebACLAssociation': 'requests are not filtered here',
};

/** Says whether local mode runs a type of resource, leaves it out for a reason, or does not know it. */
export function resourceKind(type: string): ResourceKind {
  if (RUN.has(type) || isCustomResource(type)) return { kind: 'run' };
  const reason = IGNORED[type];
  return reason === undefined ? { kind: 'unknown' } : { kind: 'ignored', reason };
}
