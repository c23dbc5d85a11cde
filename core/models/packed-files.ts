/** Name of the description inside a packed model. */
export const PACKED_DESCRIPTION = 'model.json';

/** Name of the tokenizer inside a packed model. */
export const PACKED_TOKENIZER = 'tokenizer.json';

/** Folder inside a packed model that holds what goes to the containers of its endpoint, and not into functions. */
export const PACKED_ENDPOINT = 'endpoint';
