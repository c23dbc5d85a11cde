/** Name of the description inside a packed model. */
export const PACKED_DESCRIPTION = 'model.json';

/** Name of the tokenizer inside a packed model. */
export const PACKED_TOKENIZER = 'tokenizer.json';
