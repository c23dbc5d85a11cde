import { expect, test } from '@jest/globals';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { METRICS, type MetricDefinition } from '../../../core/metrics/catalogue.ts';
import { Jobs, ModelFunction } from '../../../lib/index.ts';
import { packedEmbedding } from '../packed-models.ts';
import { otherStack } from '../synthesized-api.ts';

const model = packedEmbedding('one');
const fn = new ModelFunction(otherStack(), 'Fn', { model });
const jobs = new Jobs(otherStack(), 'Jobs', { models: [model] });

/** Calls the method `metric<Name>` of a construct, as a caller who knows which metrics belong to a model. */
function call(name: string, { dimensions, emittedBy }: MetricDefinition): Metric {
  const construct = emittedBy.includes('serve-model') ? fn : jobs;
  const method: unknown = Reflect.get(construct, `metric${name}`);
  if (typeof method !== 'function') throw new Error(`there is no method metric${name}`);
  const needsModel = construct === jobs && dimensions.basic[0]?.some((dimension) => dimension === 'model');
  return Reflect.apply(method, construct, needsModel === true ? [model.id] : []) as Metric;
}

test.each(Object.entries<MetricDefinition>(METRICS))(
  '%s has a method of its own that returns it',
  (name, definition) => {
    expect(call(name, definition)).toMatchObject({ namespace: 'Tensorgate', metricName: name });
  },
);

test('the metrics of AWS Lambda are those of the alias', () => {
  expect(fn.alias.metricThrottles()).toMatchObject({ namespace: 'AWS/Lambda', metricName: 'Throttles' });
});
