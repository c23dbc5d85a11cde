import type { BusboyHeaders } from '@fastify/busboy';
import type { RawBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { headerOf } from '../shared/http/header.ts';
import type { HttpRequest } from '../shared/http/http-request.ts';
import type { FormParser } from './form-parser.ts';

/** The file of a form. */
export interface FormFile {
  readonly filename: string | undefined;
  readonly bytes: Uint8Array;
}

/** A form as it was received. */
export interface Form {
  /** Fields by name; `a[b]` is member `b` of `a`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly file: FormFile | undefined;
}

/** Limits of the other fields of the form: OpenAI's forms have three short ones. */
const LIMITS = { fields: 20, fieldSize: 4096, files: 1, headerPairs: 20, headerSize: 8192 } as const;

/** A field that is a member of another. */
const MEMBER = /^([^[\]]+)\[([^[\]]+)\]$/;

/** Media type of forms with files (RFC 7578). */
const FORM_MEDIA_TYPE = 'multipart/form-data';

/** Returns whether a body is a form. */
export function isForm({ mediaType }: RawBody): boolean {
  return mediaType === FORM_MEDIA_TYPE;
}

/**
 * Reads a form with one file (RFC 7578) as a whole, because Lambda holds it in memory anyway.
 *
 * @param fileField - Name of the field that holds the file.
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, or `INVALID_BODY` if it is not such a form.
 */
export async function readForm({ body, event }: HttpRequest, fileField: string): Promise<Form> {
  if (!isForm(body)) throw new AppError('UNSUPPORTED_MEDIA_TYPE', `content-type must be ${FORM_MEDIA_TYPE}`);
  const bytes = 'text' in body ? Buffer.from(body.text) : body.bytes;
  // Only forms need the parser, so the first of them loads it.
  const { openFormParser } = await import('./form-parser.ts');
  const headers: BusboyHeaders = { 'content-type': headerOf(event, 'content-type') ?? '' };
  return collect(() => openFormParser({ headers, limits: LIMITS, isPartAFile: isFileOf(fileField) }), bytes, fileField);
}

function isFileOf(fileField: string) {
  return (name: string | undefined, _type: string | undefined, filename: string | undefined) =>
    name === fileField || filename !== undefined;
}

function collect(open: () => FormParser, body: Uint8Array, fileField: string): Promise<Form> {
  const fields: [string, string][] = [];
  const slices: Buffer[] = [];
  let file: { readonly filename: string | undefined } | undefined;
  return new Promise((resolve, reject) => {
    const refuse = (message: string) => reject(new AppError('INVALID_BODY', message));
    const refuseWhole = () => refuse('the body is not a form that can be read to its end');
    try {
      const parser = open();
      parser.on('error', refuseWhole);
      parser.on('field', (name, value, _isNameCut, isCut) => {
        if (isCut) refuse(`a field holds more than ${LIMITS.fieldSize} bytes`);
        fields.push([name, value]);
      });
      parser.on('fieldsLimit', () => refuse(`the form holds more than ${LIMITS.fields} fields`));
      parser.on('filesLimit', () => refuse('the form must contain one file, got more'));
      parser.on('file', (name, stream, filename) => {
        stream.on('error', refuseWhole);
        stream.on('data', (slice: Buffer) => slices.push(slice));
        if (name !== fileField) refuse(`the file must come in the field ${fileField}`);
        file = { filename };
      });
      parser.on('finish', () => {
        resolve({
          fields: nested(fields),
          file: file === undefined ? undefined : { ...file, bytes: Buffer.concat(slices) },
        });
      });
      parser.end(body);
    } catch {
      refuseWhole();
    }
  });
}

/** Own members only, with any name. */
function nested(fields: readonly (readonly [name: string, value: string])[]): Record<string, unknown> {
  const found = new Map<string, string | Map<string, string>>();
  for (const [name, value] of fields) {
    const [, outer, inner] = MEMBER.exec(name) ?? [];
    if (outer === undefined || inner === undefined) {
      found.set(name, value);
      continue;
    }
    const members = found.get(outer);
    found.set(outer, (members instanceof Map ? members : new Map<string, string>()).set(inner, value));
  }
  return Object.fromEntries(
    [...found].map(([name, value]) => [name, value instanceof Map ? Object.fromEntries(value) : value]),
  );
}
