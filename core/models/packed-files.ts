/** Name of the description inside a packed model. */
export const PACKED_DESCRIPTION = 'model.json';

/** Name of the tokenizer inside a packed model. */
export const PACKED_TOKENIZER = 'tokenizer.json';

/** Name of a WordPiece tokenizer with its tables, which a packed model has in place of {@link PACKED_TOKENIZER}. */
export const PACKED_WORD_PIECE = 'word-piece.bin';

/** Folder of a packed model with the files of its endpoint's containers, which functions do not contain. */
export const PACKED_ENDPOINT = 'endpoint';
