import * as v from 'valibot';
import { localArn } from './account.ts';
import type { Json } from './json.ts';
import { DEFAULT_EVENT_BUS, eventBusName } from './physical-names.ts';
import type { NotRun } from './plan-functions.ts';
import { ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** Where a rule sends events. */
export interface EventTargetPlan {
  readonly arn: string;
  /** Constant that is sent instead of the event. */
  readonly input: string | undefined;
  /** Place in the event of what is sent: `$.detail`. */
  readonly inputPath: string | undefined;
  /** Text that is made of parts of the event and sent instead of it. */
  readonly transformer: InputTransformer | undefined;
}

/** An `InputTransformer`: a text with placeholders, and their places in the event. */
interface InputTransformer {
  readonly paths: Readonly<Record<string, string>>;
  readonly template: string;
}

/** A rule of an event bus. */
export interface EventRulePlan {
  readonly arn: string;
  readonly logicalId: string;
  /** Pattern as the template has it, intrinsic functions resolved. */
  readonly pattern: Json;
  readonly targets: readonly EventTargetPlan[];
}

/** A rule that sends an event at a fixed rate. */
export interface ScheduledRulePlan {
  readonly arn: string;
  readonly logicalId: string;
  /** Time between two events. */
  readonly everyMs: number;
  readonly targets: readonly EventTargetPlan[];
}

/** An event bus with its rules. */
export interface EventBusPlan {
  readonly name: string;
  readonly arn: string;
  readonly rules: readonly EventRulePlan[];
}

/** Services that a rule can send to here. */
const TARGETS = ['lambda', 'logs', 'sqs'];

const pathSchema = v.pipe(v.string(), v.regex(/^\$(?:\.[\w-]+)*$/, 'must be a path such as $.detail'));

const transformerSchema = v.object({
  InputPathsMap: v.optional(v.record(v.string(), pathSchema), {}),
  InputTemplate: v.pipe(v.string(), v.regex(/^(?![\s\S]*<aws\.)/, 'must not hold variables of EventBridge')),
});

/** Units of a rate. */
const RATE_UNITS_MS: ReadonlyMap<string | undefined, number> = new Map([
  ['minute', 60_000],
  ['hour', 3_600_000],
  ['day', 86_400_000],
]);

const targetSchema = v.object({
  Arn: v.string(),
  Input: v.optional(v.string()),
  InputPath: v.optional(pathSchema),
  InputTransformer: v.optional(transformerSchema),
});

const ruleSchema = v.object({
  EventBusName: v.optional(v.string()),
  EventPattern: v.optional(v.custom<Json>((value) => typeof value === 'object' && value !== null)),
  ScheduleExpression: v.optional(v.string()),
  State: v.optional(v.string(), 'ENABLED'),
  Targets: v.optional(v.array(targetSchema), []),
});

type RuleProperties = v.InferOutput<typeof ruleSchema>;

/**
 * Describes the event buses of an app: the account's own and those of the template.
 *
 * @returns The buses with their rules, the rules that run at a fixed rate, and what of the rules does not run here.
 * @throws AppError `TEMPLATE_INVALID` when a rule is malformed.
 */
export function planEventBuses(resources: readonly Resource[]): {
  readonly eventBuses: EventBusPlan[];
  readonly schedules: ScheduledRulePlan[];
  readonly notRun: NotRun[];
} {
  const rules = ofType(resources, 'AWS::Events::Rule').map((resource) => ({
    resource,
    properties: readProperties(resource, ruleSchema),
  }));
  const notRun = rules.flatMap(({ resource, properties }) =>
    leftOut(properties).map((reason) => ({ resource: resource.logicalId, type: resource.type, reason })),
  );
  const names = [DEFAULT_EVENT_BUS, ...ofType(resources, 'AWS::Events::EventBus').map(({ ref }) => ref)];
  const eventBuses = names.map((name) => ({
    name,
    arn: localArn('events', `event-bus/${name}`),
    rules: rules.flatMap(({ resource, properties }) =>
      eventBusName(properties.EventBusName) === name ? planRule(resource, properties) : [],
    ),
  }));
  const schedules = rules.flatMap(({ resource, properties }) => planSchedule(resource, properties));
  return { eventBuses, schedules, notRun };
}

function planSchedule({ logicalId, attributes }: Resource, properties: RuleProperties): ScheduledRulePlan[] {
  const everyMs = rateOf(properties.ScheduleExpression);
  if (everyMs === undefined || properties.State === 'DISABLED') return [];
  return [{ arn: attributes['Arn'] ?? '', logicalId, everyMs, targets: planTargets(properties) }];
}

/** @returns Undefined for a schedule that is not a rate. */
function rateOf(expression: string | undefined): number | undefined {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression ?? '') ?? [];
  const unitMs = RATE_UNITS_MS.get(unit);
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

function planRule({ logicalId, attributes }: Resource, properties: RuleProperties): EventRulePlan[] {
  const { EventPattern: pattern, State: state } = properties;
  if (pattern === undefined || state === 'DISABLED') return [];
  return [{ arn: attributes['Arn'] ?? '', logicalId, pattern, targets: planTargets(properties) }];
}

function planTargets({ Targets: targets }: RuleProperties): EventTargetPlan[] {
  const run = targets.filter((target) => isRun(target));
  return run.map(({ Arn: arn, Input: input, InputPath: inputPath, InputTransformer: transformer }) => ({
    arn,
    input,
    inputPath,
    transformer: transformer && { paths: transformer.InputPathsMap, template: transformer.InputTemplate },
  }));
}

function leftOut({ ScheduleExpression: schedule, Targets: targets }: RuleProperties): string[] {
  const others = targets.filter((target) => !isRun(target));
  return [
    ...(schedule === undefined || rateOf(schedule) !== undefined ? [] : ['only a rate is followed as a schedule here']),
    ...others.map(({ Arn: arn }) => `its target ${arn} gets no events here`),
  ];
}

function isRun({ Arn: arn }: v.InferOutput<typeof targetSchema>): boolean {
  return TARGETS.includes(arn.split(':')[2] ?? '');
}
