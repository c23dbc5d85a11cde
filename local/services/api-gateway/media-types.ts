/** Returns the media type of a header without parameters, in lower case; `application/json` where there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  return type === undefined || type === '' ? 'application/json' : type;
}

/** Returns whether an API treats a media type as binary; a wildcard takes everything. */
export function isBinary(mediaType: string, binaryMediaTypes: readonly string[]): boolean {
  return binaryMediaTypes.some((binary) => {
    if (binary === '*/*' || binary.toLowerCase() === mediaType) return true;
    return binary.endsWith('/*') && mediaType.startsWith(binary.slice(0, -1).toLowerCase());
  });
}

/** Returns the media type that an `Accept` header names first. */
export function firstAccepted(accept: string | undefined): string | undefined {
  const first = accept?.split(',')[0];
  return first === undefined ? undefined : mediaTypeOf(first);
}

/** Chooses the type of the response: the first acceptable type that has a template, else JSON, else the first template. */
export function chooseTemplate<T>(
  templates: Readonly<Record<string, T>>,
  accept: string | undefined,
): [string, T] | undefined {
  const acceptable = (accept ?? '').split(',').map((type) => mediaTypeOf(type));
  const entries = Object.entries(templates);
  return (
    entries.find(([type]) => acceptable.includes(type.toLowerCase())) ??
    entries.find(([type]) => type === 'application/json') ??
    entries[0]
  );
}
