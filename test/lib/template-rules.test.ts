import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { App, CfnResource, NestedStack, Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { TemplateRules } from '../../lib/limits/template-rules.ts';
import { temporaryDirectory } from './packed-models.ts';

/** Scopes in which a resource may be defined, by their names in messages. */
const SCOPES: Readonly<Record<string, (stack: Stack) => Construct>> = {
  'a stack': (stack) => stack,
  'a nested stack': (stack) => new NestedStack(stack, 'Nested'),
  'a stack nested in a nested stack': (stack) => new NestedStack(new NestedStack(stack, 'Nested'), 'Inner'),
};

/** Shared, because its engine starts in a second. */
const RULES = new TemplateRules();

/** An app with the context of cdk.json and one queue. */
function appWithQueue(scopeOf: (stack: Stack) => Construct, properties: Readonly<Record<string, unknown>>): App {
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
  const app = new App({ outdir: temporaryDirectory(), analyticsReporting: false, autoSynth: false, context });
  Validations.of(app).addPlugins(RULES);
  new CfnResource(scopeOf(new Stack(app, 'Stack')), 'Queue', { type: 'AWS::SQS::Queue', properties });
  return app;
}

beforeEach(() => {
  delete process.env['CDK_VALIDATION'];
});

describe.each(Object.entries(SCOPES))("CloudFormation's rules in %s", (_, scopeOf) => {
  it('refuse a value of the wrong type', () => {
    expect(() => appWithQueue(scopeOf, { VisibilityTimeout: 'soon' }).synth()).toThrow(
      "'soon' is not of type 'integer'",
    );
  });

  it('accept a valid template', () => {
    expect(() => appWithQueue(scopeOf, { VisibilityTimeout: 30 }).synth()).not.toThrow();
  });
});

describe('CDK_VALIDATION=false', () => {
  it('leaves the rules out, for local mode', () => {
    process.env['CDK_VALIDATION'] = 'false';
    expect(() => appWithQueue((stack) => stack, { VisibilityTimeout: 'soon' }).synth()).not.toThrow();
  });
});
