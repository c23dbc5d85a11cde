import type { BusboyHeaders } from '@fastify/busboy';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { MAX_FORM_BYTES } from '../../core/files/limits.ts';
import { headerOf } from '../shared/http/json-body.ts';
import type { FormParser } from './form-parser.ts';

/** The file of a form. */
export interface FormFile {
  readonly filename: string | undefined;
  readonly bytes: Uint8Array;
}

/** A form as it came. */
export interface Form {
  /** Fields by name; `a[b]` is member `b` of `a`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly file: FormFile | undefined;
}

/** What the route wants of a form. */
interface FormOptions {
  /** Name of the field that holds the file. */
  readonly fileField: string;
  /** What to do with a body that is too large, for the message. */
  readonly otherwise: string;
}

/** Bounds of what stands beside the file: OpenAI's forms have three short fields. */
const LIMITS = { fields: 20, fieldSize: 4096, files: 1, headerPairs: 20, headerSize: 8192 } as const;

/** A field that is a member of another. */
const MEMBER = /^([^[\]]+)\[([^[\]]+)\]$/;

/** Media type of forms with files (RFC 7578). */
const FORM_MEDIA_TYPE = 'multipart/form-data';

/** Whether a body is a form, by its content type. */
export function isForm(event: Pick<APIGatewayProxyEvent, 'headers'>): boolean {
  const mediaType = headerOf(event, 'content-type')?.split(';', 1)[0];
  return mediaType?.trim().toLowerCase() === FORM_MEDIA_TYPE;
}

/**
 * Reads a form with one file (RFC 7578), whole: the platform holds it in memory anyway.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, or `INVALID_BODY` when it is no such form.
 */
export async function readForm(event: APIGatewayProxyEvent, options: FormOptions): Promise<Form> {
  if (!isForm(event)) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', `content-type must be ${FORM_MEDIA_TYPE}`);
  }
  const { body, isBase64Encoded } = event;
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > MAX_FORM_BYTES) throw tooLarge(bytes.length, options);
  // Only forms need the parser: it is loaded for them.
  const { openFormParser } = await import('./form-parser.ts');
  const headers: BusboyHeaders = { 'content-type': headerOf(event, 'content-type') ?? '' };
  return collect(
    () => openFormParser({ headers, limits: LIMITS, isPartAFile: isFileOf(options.fileField) }),
    bytes,
    options,
  );
}

function isFileOf(fileField: string) {
  return (name: string | undefined, _type: string | undefined, filename: string | undefined) =>
    name === fileField || filename !== undefined;
}

function collect(open: () => FormParser, body: Buffer, { fileField }: FormOptions): Promise<Form> {
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
      parser.on('filesLimit', () => refuse('the form must hold one file, got more'));
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

/** Own members only, whatever they are called. */
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

function tooLarge(got: number, { otherwise }: FormOptions): AppError {
  const message = `the body holds ${got} bytes, at most ${MAX_FORM_BYTES} come through the gateway; ${otherwise}`;
  return new AppError('BODY_TOO_LARGE', message);
}
