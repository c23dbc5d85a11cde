/** Name of the description inside a packed model. */
export const PACKED_DESCRIPTION = 'model.json';

/** Name of the tokenizer inside a packed model. */
export const PACKED_TOKENIZER = 'tokenizer.json';

/** Folder of a packed model with the files of its endpoint's containers, which functions do not contain. */
export const PACKED_ENDPOINT = 'endpoint';
