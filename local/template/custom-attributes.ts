/** Returns whether a type is that of a custom resource. */
export function isCustomResource(type: string): boolean {
  return type === 'AWS::CloudFormation::CustomResource' || type.startsWith('Custom::');
}

/**
 * Returns the value of `Fn::GetAtt` of a custom resource before its function has run: local mode reads the whole template
 * before it runs anything. {@link CustomAttributes} replaces it.
 */
export function placeholderOf(stack: string, logicalId: string, attribute: string): string {
  return `{{custom:${stack}/${logicalId}.${attribute}}}`;
}

/** The attributes that custom resources have returned. */
export class CustomAttributes {
  readonly #values = new Map<string, string>();

  /** Keeps the attributes of a custom resource. */
  set(stack: string, logicalId: string, attributes: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(attributes)) {
      this.#values.set(placeholderOf(stack, logicalId, name), String(value));
    }
  }

  /** Replaces the placeholders in every value; those of resources that failed stay. */
  fill(texts: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, this.#fillText(text)]));
  }

  #fillText(text: string): string {
    return text.replaceAll(/\{\{custom:[^}]+\}\}/g, (placeholder) => this.#values.get(placeholder) ?? placeholder);
  }
}
