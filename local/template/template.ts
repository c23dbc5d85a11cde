import type { JsonObject } from './json.ts';

/** The parts of a CloudFormation template that local mode reads. */
export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs: Readonly<Record<string, JsonObject>>;
  readonly Parameters: Readonly<Record<string, JsonObject>>;
  readonly Mappings: Readonly<Record<string, JsonObject>>;
  readonly Conditions: Readonly<Record<string, JsonObject>>;
}

/** One resource, intrinsic functions unresolved. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties: JsonObject;
  readonly Condition?: string | undefined;
  readonly DependsOn?: string | string[] | undefined;
}
