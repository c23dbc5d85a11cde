import jsTokens from 'js-tokens';

/** A stretch of English in a file. */
export interface Passage {
  /**
   * `sentences`: Markdown, comments included. `text`: a string or an example. `name`: an identifier or a path, in words.
   * `test`: the name of a test, in addition to its text.
   */
  readonly kind: 'sentences' | 'text' | 'name' | 'test';
  readonly text: string;
  /** Line of the file on which the text starts. */
  readonly line: number;
  /** The code after a TSDoc comment: the beginning of what it documents. */
  readonly documented?: string;
}

/** Returns the passages of a file. The extension of its name decides how it is read. */
export function passagesOf(path: string, source: string): readonly Passage[] {
  const name = { kind: 'name', text: toWords(path), line: 1 } as const;
  if (path.endsWith('.md')) return [name, { kind: 'sentences', text: source, line: 1 }];
  if (/\.[cm]?[jt]s$/.test(path)) return [name, ...scriptPassages(source)];
  return [name, ...hashComments(source), { kind: 'text', text: source, line: 1 }];
}

/** Returns an identifier in words: `requeueJob` as "requeue job", `JOBS_LOST` as "jobs lost". */
function toWords(identifier: string): string {
  return identifier
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/[^A-Za-z\d]+/g, ' ')
    .trim()
    .toLowerCase();
}

const STRINGS = new Set(['StringLiteral', 'NoSubstitutionTemplate', 'TemplateHead', 'TemplateMiddle', 'TemplateTail']);
const NAMES = new Set(['IdentifierName', 'PrivateIdentifier']);

const SPACES = new Set(['WhiteSpace', 'LineTerminatorSequence', 'SingleLineComment', 'MultiLineComment']);

/** A token that is neither a comment nor white space. */
interface CodeToken {
  readonly type: string;
  readonly value: string;
  readonly line: number;
}

/** Returns the comments, strings and names of tests of TypeScript or JavaScript, and each of its identifiers once. */
function scriptPassages(source: string): readonly Passage[] {
  const passages: Passage[] = [];
  const names = new Set<string>();
  const code: CodeToken[] = [];
  let line = 1;
  let offset = 0;
  for (const { type, value } of jsTokens(source)) {
    offset += value.length;
    if (type === 'SingleLineComment') {
      appendLine(passages, value.replace(/^\/\/ ?/, ''), line);
    } else if (type === 'MultiLineComment') {
      passages.push(...blockComment(value, line, source.slice(offset, offset + 200)));
    } else if (STRINGS.has(type)) {
      passages.push({ kind: 'text', text: value, line });
    } else if (NAMES.has(type) && !names.has(value)) {
      names.add(value);
      passages.push({ kind: 'name', text: toWords(value), line });
    }
    if (!SPACES.has(type)) code.push({ type, value, line });
    line += value.split('\n').length - 1;
  }
  return [...passages, ...testNames(code)];
}

/** Returns the names of tests: the first arguments of `it(…)` and `test(…)`, and of the calls that `it.each(…)` returns. */
function testNames(code: readonly CodeToken[]): readonly Passage[] {
  return code.flatMap(({ value, line }, index) => {
    if ((value !== 'it' && value !== 'test') || code[index - 1]?.value === '.') return [];
    let at = index + 1;
    let isTable = false;
    for (; code[at]?.value === '.'; at += 2) isTable = code[at + 1]?.value === 'each';
    if (isTable) at = endOfCall(code, at);
    const name = code[at]?.value === '(' ? stringAt(code, at + 1) : '';
    return name === '' ? [] : [{ kind: 'test', text: name, line } as const];
  });
}

/** Returns the position after the arguments of a call whose result is called. Its type arguments may start at the position. */
function endOfCall(code: readonly CodeToken[], start: number): number {
  let depth = 0;
  const end = code.findIndex(({ value }, index) => {
    if (index >= start) depth += value === '(' ? 1 : value === ')' ? -1 : 0;
    return index >= start && depth === 0 && value === ')' && code[index + 1]?.value === '(';
  });
  return end + 1;
}

/** Returns the string at a position without its quotes, with `%s` for each value in a template. */
function stringAt(code: readonly CodeToken[], start: number): string {
  const { type = '', value = '' } = code[start] ?? {};
  if (type !== 'TemplateHead') return STRINGS.has(type) ? value.slice(1, -1) : '';
  const end = code.findIndex((token, index) => index > start && token.type === 'TemplateTail');
  const parts = code.slice(start, end + 1).filter((token) => STRINGS.has(token.type));
  return parts.map((part) => part.value.replace(/^[`}]|(?:\$\{|`)$/g, '')).join('%s');
}

/** Appends a line of a comment to the passage that ends on the line before, if there is one. */
function appendLine(passages: Passage[], text: string, line: number): void {
  const last = passages.at(-1);
  const continues = last?.kind === 'sentences' && last.line + last.text.split('\n').length === line;
  if (continues) passages[passages.length - 1] = { ...last, text: `${last.text}\n${text}` };
  else passages.push({ kind: 'sentences', text, line });
}

/** Returns the sentences of a block comment, and its examples as text. Each block tag becomes an item of a list. */
function blockComment(comment: string, line: number, documented: string): readonly Passage[] {
  const markdown = comment
    .replace(/^\/\*+|\*+\/$/g, '')
    .replace(/^[ \t]*\*[ \t]?/gm, '')
    .replace(/\{@link ([^}\s]+)\}/g, '`$1`');
  const [sentences = '', ...examples] = markdown.split(/^[ \t]*@example\b/m);
  const items = sentences.replace(/^[ \t]*@(\w+)( \S+ -)?/gm, '- ');
  return [
    { kind: 'sentences', text: items, line, ...(comment.startsWith('/**') ? { documented } : {}) },
    ...examples.map((text) => ({ kind: 'text', text, line }) as const),
  ];
}

/** Returns the comments of YAML files, shell scripts and other files whose comments start with a number sign. */
function hashComments(source: string): readonly Passage[] {
  const passages: Passage[] = [];
  for (const [index, text] of source.split('\n').entries()) {
    const comment = /(?:^|\s)# (.*)$/.exec(text)?.[1];
    if (comment !== undefined) appendLine(passages, comment, index + 1);
  }
  return passages;
}
