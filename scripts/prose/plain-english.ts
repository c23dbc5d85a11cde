import type { Root as Markdown } from 'mdast';
import type { Root, Sentence } from 'nlcst';
import { toString as textOf } from 'nlcst-to-string';
import { visit } from 'unist-util-visit';
import type { VFile } from 'vfile';
import { EVERYWHERE, IN_FRONT, IN_PROSE, MAX_WORDS, type Rule } from './rules.ts';

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

/** Reports the wordings that the rules name. */
export function retextPlainEnglish() {
  return (tree: Root, file: VFile): undefined => {
    visit(tree, 'SentenceNode', (sentence) => {
      const text = textOf(sentence).replace(/\s/g, ' ');
      for (const { offset, message } of breachesOf(text, [...EVERYWHERE, ...IN_PROSE])) {
        file.message(message, placeOf(sentence, offset));
      }
    });
  };
}

/** Reports long sentences. */
export function retextShortSentences() {
  return (tree: Root, file: VFile): undefined => {
    visit(tree, 'SentenceNode', (sentence) => {
      const words = wordsOf(sentence);
      if (words <= MAX_WORDS) return;
      const start = textOf(sentence).replace(/\s/g, ' ').slice(0, 50);
      file.message(`${words} words: "${start}…". Write sentences of ${MAX_WORDS} words at most`, sentence.position);
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

/**
 * Counts the words of the longest part of a sentence. Inline code is one word, and so is a list of it. The parser ends no
 * sentence after a number or before code.
 */
function wordsOf(sentence: Sentence): number {
  const text = sentence.children
    .map((node) => (node.type === 'SourceNode' ? '`' : textOf(node)))
    .join('')
    .replace(/`(?:(?:, | or )`)*/g, 'code');
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
