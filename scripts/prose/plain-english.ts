import type { Root as Markdown } from 'mdast';
import type { Root, Sentence } from 'nlcst';
import { toString as textOf } from 'nlcst-to-string';
import { visit } from 'unist-util-visit';
import type { VFile } from 'vfile';
import { EVERYWHERE, IN_FRONT, IN_PROSE, MAX_WORDS, type Rule } from './rules.ts';

/** Name of the rule about the length of sentences in its messages. */
export const LONG_SENTENCE = 'long-sentence';

/** Reads the examples of Markdown, which the rules for sentences leave out. */
export function remarkPlainExamples() {
  return (tree: Markdown, file: VFile): undefined => {
    visit(tree, 'code', ({ value, position }) => {
      for (const { message } of breachesOf(value, EVERYWHERE)) file.message(message, position);
    });
  };
}

/** Returns the cells of the tables in Markdown, each as a document of its own, because remark-retext skips tables. */
export function cellsOf(tree: Markdown): readonly Markdown[] {
  const cells: Markdown[] = [];
  visit(tree, 'tableCell', ({ children, position }) => {
    cells.push({ type: 'root', children: [{ type: 'paragraph', children, position }], position });
  });
  return cells;
}

/** Reports the wordings that the rules name, and long sentences. */
export function retextPlainEnglish() {
  return (tree: Root, file: VFile): undefined => {
    visit(tree, 'SentenceNode', (sentence) => {
      const text = textOf(sentence).replace(/\s/g, ' ');
      for (const { offset, message } of breachesOf(text, [...EVERYWHERE, ...IN_PROSE])) {
        file.message(message, placeOf(sentence, offset));
      }
      const words = wordsOf(sentence);
      if (words > MAX_WORDS) {
        file.message(`${words} words: "${text.slice(0, 50)}…". Write sentences of ${MAX_WORDS} words at most`, {
          place: sentence.position,
          ruleId: LONG_SENTENCE,
        });
      }
    });
  };
}

/** Reports wordings at the start of a comment. */
export function retextPlainStart() {
  return (tree: Root, file: VFile): undefined => {
    const text = textOf(tree).trim().replace(/\s/g, ' ');
    for (const { message } of breachesOf(text, IN_FRONT)) file.message(message);
  };
}

/** A wording that breaches a rule. */
export interface Breach {
  /** Position in the text. */
  readonly offset: number;
  readonly message: string;
}

/** Finds the wordings that breach rules in a text. */
export function breachesOf(text: string, rules: readonly Rule[]): readonly Breach[] {
  return rules.flatMap(({ pattern, write }) =>
    [...text.matchAll(pattern)].map(({ 0: found, index }) => ({
      offset: index,
      message: `"${found.trim()}": write ${write}`,
    })),
  );
}

/** Counts the words of the longest part. Inline code is one word; the parser ends no sentence after a number or before code. */
function wordsOf(sentence: Sentence): number {
  const text = sentence.children.map((node) => (node.type === 'SourceNode' ? 'code' : textOf(node))).join('');
  const lengths = text.split(/(?<=[.?!])\s+/).map((part) => part.match(/\w[^\s/]*/g)?.length ?? 0);
  return Math.max(...lengths);
}

/** Returns the position of the node that contains a character of a sentence. */
function placeOf(sentence: Sentence, offset: number): Sentence['position'] {
  let end = 0;
  const node = sentence.children.find((child) => {
    end += textOf(child).length;
    return end > offset;
  });
  return node?.position;
}
