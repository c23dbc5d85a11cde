/** A wording that plain English avoids. */
export interface Rule {
  readonly pattern: RegExp;
  /** The wording to use instead. */
  readonly write: string;
}

const rule = (pattern: string, write: string): Rule => ({ pattern: new RegExp(pattern, 'gi'), write });

/**
 * Rules for every file: sentences, strings, identifiers and paths. Identifiers are read in words, so `giveBack` is "give back".
 */
export const EVERYWHERE: readonly Rule[] = [
  rule('\\b(?:told|tells?|telling)\\b', 'notify, show, say or distinguish'),
  rule('\\bwhoever\\b', 'the caller, worker or operator that'),
  rule('\\b(?:no|some|every)body\\b', 'the caller, worker, receiver or operator'),
  rule('\\b(?:come|came|coming|comes) again\\b', 'is retried, or is redelivered'),
  rule('\\bat once\\b', 'immediately, concurrently or together'),
  rule('\\banew\\b', 'again'),
  rule('\\bas ever\\b', 'as before, or unchanged'),
  rule('\\bthere where\\b', 'if, or where'),
  rule('\\bhea(?:r|rs|rd|ring) of\\b', 'receive a notification of, or learn of'),
  rule('\\bg(?:ive|ives|ave|iven|iving) back\\b', 'return, or requeue'),
  rule('\\bg(?:o|oes|one|oing) on\\b|\\bwent on\\b', 'continue, or resume'),
  rule('\\b(?:bury|buries|buried|burying)\\b', 'fail'),
];

const WANTED = rule('\\bwanted\\b', 'requested, required or expected');

/** Rules for identifiers and paths: a metaphor is not a name. */
export const IN_NAMES: readonly Rule[] = [
  WANTED,
  rule('\\b(?:mood|graveyard|rage)\\b', 'the thing itself, such as faultInjector or jobsHarness'),
  rule('\\blook again\\b', 'poll'),
  rule('\\bpark(?:s|ed|ing)?\\b', 'move to the dead-letter queue'),
];

/** Rules for sentences and strings. */
export const IN_PROSE: readonly Rule[] = [
  WANTED,
  rule('\\bmakes what\\b', 'creates a …'),
  rule('\\bwhat [^.?]{1,40} works with\\b', 'dependencies of …'),
  rule('\\bin the place of\\b', 'instead of'),
  rule('\\bfrom (?:when|where) on\\b', 'from, or the point at which'),
  rule(', for (?:it|they|there|he|she|we|nothing)\\b', 'because'),
  rule(
    '(?<!\\bthere )\\b(?:is|are|was|were) no (?!longer\\b|more\\b|less\\b|other\\b|\\w+er than\\b)',
    'is not a …, or there is no …',
  ),
  rule('\\bto be had\\b', 'available'),
  rule('\\b(?:begun|began)\\b', 'started'),
];

/** Rules for the start of a comment. */
export const IN_FRONT: readonly Rule[] = [
  rule('^What (?!.*\\?)', 'a noun phrase that says what the thing is'),
  rule('^Most \\w+ (?:of|that|in|an?|per|for)\\b', 'Maximum …'),
];

/** Number of words from which a sentence of a page is two sentences. */
export const MAX_WORDS = 25;
