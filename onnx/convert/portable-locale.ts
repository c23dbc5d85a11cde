import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { allGraphs, findAttribute, graphOf, nodeName } from '../format/graph.ts';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type ModelProto,
  type NodeProto,
} from '../format/onnx-messages.ts';

/** The locale that every Linux has, AWS Lambda's and the containers' included. Its case rules are those of Unicode. */
const PORTABLE_LOCALE = 'C.UTF-8';

/** Languages whose rules of case differ from Unicode's: `I` is the capital of `ı`, not of `i`. */
const OWN_CASE_RULES = ['az', 'crh', 'ku', 'tr', 'tt'];

/**
 * Lets the `StringNormalizer` nodes of a model use a locale that exists wherever the model runs. Their default is `en_US`,
 * which most container images lack. Both locales map letters as Unicode does.
 *
 * @param model - Changed in place.
 * @returns Whether a node was changed.
 * @throws AppError `ONNX_INVALID` when a node needs the rules of a language that has its own.
 */
export function usePortableLocale(model: ModelProto): boolean {
  const graphs = allGraphs(graphOf(model));
  const nodes = graphs.flatMap(({ node }) => node).filter(({ opType }) => opType === 'StringNormalizer');
  return nodes.filter(changeLocale).length > 0;
}

/** @returns Whether the node had another locale. */
function changeLocale(node: NodeProto): boolean {
  const attribute = findAttribute(node, 'locale');
  const locale = Buffer.from(attribute?.s ?? []).toString();
  if (locale === PORTABLE_LOCALE) return false;
  const language = /^[a-z]+/.exec(locale)?.[0] ?? '';
  if (OWN_CASE_RULES.includes(language)) {
    throw new AppError(
      'ONNX_INVALID',
      `node ${nodeName(node)} changes case by the rules of the locale ${locale}, which functions do not have: ` +
        'export the model without a change of case, and change the case of its inputs before they are sent',
    );
  }
  const s = new TextEncoder().encode(PORTABLE_LOCALE);
  node.attribute = [
    ...node.attribute.filter((one) => one !== attribute),
    create(AttributeProtoSchema, { name: 'locale', type: AttributeProto_AttributeType.STRING, s }),
  ];
  return true;
}
