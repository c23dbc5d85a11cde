import { ParseEnglish } from 'parse-english';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import remarkRetext from 'remark-retext';
import retextIndefiniteArticle from 'retext-indefinite-article';
import { unified } from 'unified';
import { VFile } from 'vfile';
import { type Passage, passagesOf } from './passages.ts';
import {
  breachesOf,
  cellsOf,
  remarkPlainExamples,
  retextPlainEnglish,
  retextPlainStart,
  retextShortSentences,
} from './plain-english.ts';
import { EVERYWHERE, IN_NAMES, IN_PROSE, IN_TEST_NAMES } from './rules.ts';

/** A line of a file that is not plain English. */
export interface Finding {
  readonly line: number;
  readonly message: string;
}

/** Message about a word that is pronounced with a consonant first: "a umask" is right. */
const NOT_A_VOWEL = /^Unexpected article `a` before `umasks?`/;

const sentences = unified()
  .use(remarkParse)
  .use(remarkGfm)
  .use(remarkPlainExamples)
  .use(remarkRetext, new ParseEnglish())
  .use(retextIndefiniteArticle)
  .use(retextPlainEnglish);
const pages = sentences().use(retextShortSentences).freeze();
const comments = sentences().use(retextPlainStart).freeze();

/** Checks the sentences, strings and names of a file by all rules. Long sentences are reported in Markdown files only. */
export function lintFile(path: string, source: string): readonly Finding[] {
  const isPage = path.endsWith('.md');
  return passagesOf(path, source).flatMap((passage) => {
    if (passage.kind !== 'sentences') return lintText(passage.kind, passage);
    if (isPage) return lintSentences(passage, pages);
    return [...lintSentences(passage, comments), ...lintSummary(passage)];
  });
}

function lintSentences({ text, line }: Passage, reader: typeof pages): readonly Finding[] {
  const file = new VFile(text);
  const tree = reader.parse(file);
  for (const part of [tree, ...cellsOf(tree)]) reader.runSync(part, file);
  const messages = file.messages.filter(({ reason }) => !NOT_A_VOWEL.test(reason));
  return messages.map((message) => ({
    line: line + (message.line ?? 1) - 1,
    message: message.reason,
  }));
}

/** Rules for passages that are not sentences. The name of a test is a text as well. */
const RULES = { name: [...EVERYWHERE, ...IN_NAMES], text: [...EVERYWHERE, ...IN_PROSE], test: IN_TEST_NAMES } as const;

function lintText(kind: keyof typeof RULES, { text, line }: Passage): readonly Finding[] {
  return breachesOf(text, RULES[kind]).map(({ offset, message }) => ({
    line: line + text.slice(0, offset).split('\n').length - 1,
    message,
  }));
}

const EXPORTED = /^\s*export (?:default )?(?:async )?function\b/;
const PRIVATE = /^\s*(?:async )?function\b/;
/** A verb in the third person: "Returns", "Reads". Nouns in the plural look the same. A comment may have tags only. */
const VERB = /^(?:[A-Z][a-z]+s\b|- )/;

/** Checks that the comment of an exported function says what the function does. Others may have remarks only. */
function lintSummary({ text, line, documented }: Passage): readonly Finding[] {
  const summary = text.trim();
  const isNoun = EXPORTED.test(documented ?? '')
    ? !VERB.test(summary)
    : PRIVATE.test(documented ?? '') && /^Whether\b/.test(summary);
  if (!isNoun) return [];
  const start = summary.slice(0, 30);
  return [{ line, message: `"${start}…": start with a verb in the third person, such as Returns` }];
}
