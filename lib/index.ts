import '../disk/require-node.ts';

export type { DeployConfig } from '../core/config/deploy-config.ts';
export { AppError, type AppErrorOptions, type ErrorCode } from '../core/errors.ts';
export type { FunctionName, FunctionSchedule, ScheduledName } from '../core/functions/functions.ts';
export type { MetricsLevel } from '../core/functions/metrics-level.ts';
export type { ModelQueueName, SharedQueueName } from '../core/functions/permissions.ts';
export type { SystemLogLevel } from '../core/functions/system-log-level.ts';
export type { KeyHeader } from '../core/identity/credentials.ts';
export type { MetricName, MetricOf } from '../core/metrics/catalogue.ts';
export type { Manifest } from '../core/models/manifest.ts';
export type { CacheScope } from '../core/results/cache-scope.ts';
export type { Rows } from '../core/tasks/contract/task.ts';
export type {
  ApiSettings,
  AuthSettings,
  BudgetSettings,
  RateSettings,
  RequestQuota,
  TenantSettings,
  UsagePlanSettings,
} from './api/api-settings.ts';
export { InferenceApi, type InferenceApiProps } from './api/inference-api.ts';
export { ModelFunction, type ModelFunctionProps } from './api/model-function.ts';
export type { PlanKey } from './api/usage-plans.ts';
export { readDeployConfig } from './config/deploy-config-file.ts';
export { JobsTable, type JobsTableProps } from './data/jobs-table.ts';
export { PayloadBucket, type PayloadBucketProps, type PayloadRetention } from './data/payload-bucket.ts';
export { ResultsTable, type ResultsTableProps } from './data/results-table.ts';
export type { TableSettings } from './data/table-settings.ts';
export { WebhooksTable, type WebhooksTableProps } from './data/webhooks-table.ts';
export { GpuEndpoint, type GpuEndpointProps } from './endpoints/gpu-endpoint.ts';
export type { ServiceFunction } from './functions/service-function.ts';
export type { JobEvents } from './jobs/job-events.ts';
export type { JobFunctions } from './jobs/job-functions.ts';
export type { JobQueues, QueuesOfModel } from './jobs/job-queues.ts';
export { Jobs, type JobsProps } from './jobs/jobs.ts';
export type {
  CacheSettings,
  ConcurrencySettings,
  GrantSettings,
  InputBucketSettings,
  JobsSettings,
} from './jobs/jobs-settings.ts';
export type { JobMetricName, ModelMetricName } from './monitoring/catalogue-metric.ts';
export type { JobMetricOptions, JobMetrics } from './monitoring/job-metrics.ts';
export type { ModelMetricOptions, ModelMetrics } from './monitoring/model-metrics.ts';
export type { PackageSizes } from './packaging/function-package.ts';
export { Model, type ModelOptions } from './packaging/model.ts';
export { Models } from './packaging/models.ts';
export { renderSynthReport } from './report/synth-report.ts';
export { ApiStack, type ApiStackProps } from './stacks/api-stack.ts';
export { DataStack, type DataStackProps, type JobData } from './stacks/data-stack.ts';
export { addDeployment, type Deployment, type DeploymentProps } from './stacks/deployment.ts';
export { GpuStack, type GpuStackProps } from './stacks/gpu-stack.ts';
export { JobsStack, type JobsStackProps } from './stacks/jobs-stack.ts';
