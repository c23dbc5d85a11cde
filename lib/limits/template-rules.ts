import { dirname, join } from 'node:path';
import {
  CloudFormationValidatePlugin,
  type IPolicyValidationContext,
  type PolicyValidationPluginReport,
  type PolicyValidationStack,
  Stack,
} from 'aws-cdk-lib';
import { topLevelStackOf } from './stack-size.ts';

/**
 * Validates the templates of an app with CloudFormation's rules, those of nested stacks too. The CDK's own plugin reads only
 * the templates that the assembly lists as stacks; a nested template is an asset there.
 *
 * Findings fail the synthesis if the app's context sets `@aws-cdk/core:validateAgainstDefaultRules`.
 */
export class TemplateRules extends CloudFormationValidatePlugin {
  override validate(context: IPolicyValidationContext): PolicyValidationPluginReport {
    // The CDK's switch applies only to the plugin that it registers itself.
    if (process.env['CDK_VALIDATION'] === 'false') return { success: true, violations: [] };
    return super.validate({ ...context, stackTemplates: [...context.stackTemplates, ...nestedTemplates(context)] });
  }
}

/** Templates of nested stacks. They lie beside the templates of their stacks. */
function nestedTemplates({ appConstruct, stackTemplates }: IPolicyValidationContext): PolicyValidationStack[] {
  return appConstruct.node.findAll().flatMap((construct) => {
    if (!Stack.isStack(construct) || !construct.nested) return [];
    const outermost = topLevelStackOf(construct).node.path;
    const owner = stackTemplates.find(({ stackConstructPath }) => stackConstructPath === outermost);
    if (owner === undefined) return [];
    const templatePath = join(dirname(owner.templatePath), construct.templateFile);
    return [{ ...owner, templatePath, stackConstructPath: construct.node.path }];
  });
}
