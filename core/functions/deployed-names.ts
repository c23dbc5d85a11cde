/**
 * Names of parameters of AWS Systems Manager, which hold names that only the deployment knows. One small parameter for each
 * model keeps the environment of every function small, however many models there are.
 */

/** Returns the parameter with the queues of a model, a {@link ModelQueues} in JSON. */
export function modelQueuesParameter(path: string, model: string): string {
  return `${path}/models/${model}`;
}

/** Returns the parameter with the URL of a reply queue. */
export function replyQueueParameter(path: string, name: string): string {
  return `${path}/replies/${name}`;
}

/** Returns the parameter with the ARN of a model's function. */
export function modelFunctionParameter(path: string, model: string): string {
  return `${path}/functions/${model}`;
}
