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

/** Verbs in the third person. Nouns in the plural look the same, so a name without a verb may pass. */
const VERBS = '[a-z]{2,}[^sui\\W]s|is|has|does|are|was|were|have|had|do|can|cannot|may|must|will|pass|passes';

/** Rules for the start of a comment. */
export const IN_FRONT: readonly Rule[] = [
  rule('^What (?!.*\\?)', 'a noun phrase that says what the thing is'),
  rule('^Most \\w+ (?:of|that|in|an?|per|for)\\b', 'Maximum …'),
];

/**
 * Rules for names of tests. Jest prints the names of the `describe` blocks in front of them. A name says what their subject
 * does, and so starts with a verb in the third person, or is a sentence of its own.
 */
export const IN_TEST_NAMES: readonly Rule[] = [
  rule(
    '^(?:after|and|as|at|before|below|beyond|but|by|for|from|if|in|like|not|nothing|of|on|once|or|over|to|until|unless|' +
      'under|when|where|which|while|who|whose|with|without|that)\\b',
    'a verb in the third person first, or a sentence with a subject',
  ),
  rule(
    `^(?:an?|all|an?other|any|each|every|no|one|some|the|two)\\b(?!.*\\b(?:${VERBS})\\b).*`,
    'a sentence with a verb',
  ),
  rule('^\\W*(?:[%$]\\w*\\W*)*$', 'a sentence around the placeholders'),
  rule('\\banswer(?:s|ed|ing)?\\b', 'respond, return, response or result'),
];

/** Number of words from which a sentence of a page is two sentences. */
export const MAX_WORDS = 25;
