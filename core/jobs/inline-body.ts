/**
 * A request or result body inside a record or a message: JSON text exactly as it was written, or anything else as base64
 * with its media type.
 */
export type InlineBody =
  | { readonly json: string }
  | {
      readonly mediaType: string;
      /** RFC 4648 §4. */
      readonly base64: string;
    };
