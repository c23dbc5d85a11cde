import { AppError } from '../../../core/errors.ts';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { ApiPlan } from '../../template/plan-apis.ts';
import { type Authorization, type Exchange, headerOf } from './exchange.ts';
import type { GatewayError } from './gateway-error.ts';

/** Values of `$context` variables. */
export interface TemplateContext {
  readonly api: ApiPlan;
  readonly exchange: Exchange;
  readonly error?: GatewayError;
}

/** Renders a template for one request. */
export type CompiledTemplate = (context: TemplateContext) => string;

const VARIABLES: Readonly<Record<string, CompiledTemplate>> = {
  accountId: () => LOCAL_ACCOUNT.accountId,
  apiId: ({ api }) => api.id,
  deploymentId: ({ api }) => api.deploymentId,
  domainName: ({ exchange }) => exchange.domainName,
  'error.message': ({ error }) => error?.message ?? '',
  'error.messageString': ({ error }) => JSON.stringify(error?.message ?? ''),
  'error.responseType': ({ error }) => error?.responseType ?? '',
  extendedRequestId: ({ exchange }) => exchange.extendedRequestId,
  httpMethod: ({ exchange }) => exchange.httpMethod,
  'identity.apiKey': ({ exchange }) => exchange.key?.value ?? '',
  'identity.apiKeyId': ({ exchange }) => exchange.key?.id ?? '',
  'identity.sourceIp': ({ exchange }) => exchange.sourceIp,
  'identity.userAgent': ({ exchange }) => headerOf(exchange.headers, 'user-agent') ?? '',
  path: ({ exchange }) => exchange.fullPath,
  protocol: ({ exchange }) => exchange.protocol,
  requestId: ({ exchange }) => exchange.requestId,
  requestTime: ({ exchange }) => clfTime(exchange.startedAtMs),
  requestTimeEpoch: ({ exchange }) => String(exchange.startedAtMs),
  resourceId: ({ exchange }) => exchange.method?.resourceId ?? '',
  resourcePath: ({ exchange }) => exchange.method?.resourcePath ?? '',
  stage: ({ api }) => api.stage,
};

const VARIABLE = /\$!?\{?context\.([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z]\w*)*)\}?/g;

/** Variables that a Lambda authorizer defines. */
const AUTHORIZER_VARIABLE = /^authorizer\.(\w+)$/;

/** Anything else that Velocity would act on: references, directives, comments. */
const OTHER_VELOCITY =
  /\$!?\{?[A-Za-z]|#\{?(?:set|if|else|elseif|end|foreach|include|parse|macro|stop|evaluate|define|break)\b|#[#*[]/;

/** `($context.httpMethod == "GET")` or `($input.params("model") == "minilm")`. */
const CONDITION = String.raw`\((\$context\.[A-Za-z.]+|\$input\.params\("[^"]+"\)) == "([^"]*)"\)`;

const DIRECTIVE = new RegExp(`#(?:(if|elseif)${CONDITION}|(else)\\b|\\{(else)\\}|(end)\\b)`, 'g');

/** Part of a template that is rendered if its condition holds. */
interface Branch {
  readonly holds: (context: TemplateContext) => boolean;
  readonly render: CompiledTemplate;
}

/**
 * Compiles a mapping template that holds plain text, `$context` variables, and `#if` with comparisons to texts, which is all that
 * local mode runs of the Velocity template language.
 *
 * @param where - What the template belongs to, for the message.
 * @throws AppError `TEMPLATE_INVALID` when it holds anything else.
 */
export function compileTemplate(source: string, where: string): CompiledTemplate {
  const parts: CompiledTemplate[] = [];
  let branches: Branch[] | undefined;
  let open: Branch['holds'] | undefined;
  let end = 0;
  const close = (text: string): void => {
    const render = compileText(text, where);
    if (branches !== undefined && open !== undefined) branches.push({ holds: open, render });
    else parts.push(render);
  };
  for (const match of source.matchAll(DIRECTIVE)) {
    const [whole, kind, operand = '', value] = match;
    close(source.slice(end, match.index));
    end = match.index + whole.length;
    if (kind === 'if' ? branches !== undefined : branches === undefined) throw misplaced(whole, where);
    if (kind === 'if') branches = [];
    if (whole === '#end') {
      parts.push(renderFirst(branches ?? []));
      branches = undefined;
      open = undefined;
      continue;
    }
    const read = kind === undefined ? undefined : operandOf(operand, where);
    open = read === undefined ? () => true : (context) => read(context) === value;
  }
  if (branches !== undefined) throw misplaced('#if', where);
  close(source.slice(end));
  return (context) => parts.map((part) => part(context)).join('');
}

function renderFirst(branches: readonly Branch[]): CompiledTemplate {
  return (context) => branches.find(({ holds }) => holds(context))?.render(context) ?? '';
}

function operandOf(operand: string, where: string): CompiledTemplate {
  const [, parameter] = /^\$input\.params\("([^"]+)"\)$/.exec(operand) ?? [];
  if (parameter === undefined) return variable(operand.slice('$context.'.length), where);
  return ({ exchange }) => exchange.pathParameters?.[parameter] ?? '';
}

function misplaced(directive: string, where: string): AppError {
  return new AppError(
    'TEMPLATE_INVALID',
    `${where} has a ${directive} without its beginning or end, or inside another`,
  );
}

function compileText(source: string, where: string): CompiledTemplate {
  const parts: (string | CompiledTemplate)[] = [];
  let end = 0;
  for (const match of source.matchAll(VARIABLE)) {
    parts.push(plainText(source.slice(end, match.index), where), variable(match[1] ?? '', where));
    end = match.index + match[0].length;
  }
  parts.push(plainText(source.slice(end), where));
  return (context) => parts.map((part) => (typeof part === 'string' ? part : part(context))).join('');
}

/**
 * Compiles the value of a header mapping: a literal in single quotes, or `context.…`.
 *
 * @throws AppError `TEMPLATE_INVALID` when it is anything else.
 */
export function compileHeaderValue(source: string, where: string): CompiledTemplate {
  const literal = /^'([^']*)'$/.exec(source)?.[1];
  if (literal !== undefined) return () => literal;
  if (source.startsWith('context.')) return variable(source.slice('context.'.length), where);
  throw new AppError(
    'TEMPLATE_INVALID',
    `${where} maps ${source}, local mode maps literals and context variables only`,
  );
}

/** Returns the value of a `$context` variable for one request; empty if there is no such variable. */
export function contextValue(name: string, context: TemplateContext): string {
  return VARIABLES[name]?.(context) ?? '';
}

/** Returns a time in the Common Log Format: `23/Nov/2026:22:00:00 +0000`. */
export function clfTime(epochMs: number): string {
  const [, day, month, year, time] = new Date(epochMs).toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}

function variable(name: string, where: string): CompiledTemplate {
  const [, member] = AUTHORIZER_VARIABLE.exec(name) ?? [];
  if (member !== undefined) return ({ exchange: { authorization } }) => authorizerValue(authorization, member);
  const read = VARIABLES[name];
  if (read === undefined) {
    throw new AppError('TEMPLATE_INVALID', `${where} uses $context.${name}, which local mode does not know`);
  }
  return read;
}

function authorizerValue(authorization: Authorization | undefined, member: string): string {
  return (member === 'principalId' ? authorization?.principalId : authorization?.context[member]) ?? '';
}

function plainText(text: string, where: string): string {
  const found = OTHER_VELOCITY.exec(text);
  if (found === null) return text;
  const excerpt = text.slice(found.index, found.index + 20);
  throw new AppError('TEMPLATE_INVALID', `${where} uses ${excerpt}, local mode substitutes $context variables only`);
}
