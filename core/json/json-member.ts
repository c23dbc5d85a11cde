/** White space of JSON, and characters that end a number or a word. */
const SPACE = /[ \t\n\r]*/y;
const SCALAR = /[^ \t\n\r,\]}]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

/**
 * Finds the text of a member in the text of a JSON object, exactly as it was written: numbers of any size and precision
 * survive, where parsing and writing again would change them.
 *
 * @param json - Valid JSON.
 * @param path - Names from the outermost member inwards; the last of duplicate names counts, as in `JSON.parse`.
 * @returns Undefined when there is no such member.
 */
export function jsonMember(json: string, ...path: readonly string[]): string | undefined {
  let text: string | undefined = json;
  for (const name of path) text = text === undefined ? undefined : memberOf(text, name);
  return text;
}

function memberOf(json: string, requested: string): string | undefined {
  let found: string | undefined;
  let at = after(SPACE, json, 0);
  if (json[at] !== '{') return undefined;
  at = after(SPACE, json, at + 1);
  while (json[at] === '"') {
    const nameEnd = after(STRING, json, at);
    const start = after(SPACE, json, after(SPACE, json, nameEnd) + 1);
    const end = endOfValue(json, start);
    if (JSON.parse(json.slice(at, nameEnd)) === requested) found = json.slice(start, end);
    at = after(SPACE, json, end);
    if (json[at] === ',') at = after(SPACE, json, at + 1);
  }
  return found;
}

function endOfValue(json: string, start: number): number {
  const first = json[start];
  if (first === '"') return after(STRING, json, start);
  if (first !== '{' && first !== '[') return after(SCALAR, json, start);
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const char = json[at];
    if (char === '"') at = after(STRING, json, at) - 1;
    else if (char === '{' || char === '[') depth += 1;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return json.length;
}

/** Where a sticky pattern stops that matches at a position. */
function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
