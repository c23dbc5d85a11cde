import fastify from 'fastify';

/**
 * Serves `POST /v1/embeddings` as people write it: one handler, JSON in, JSON out.
 *
 * @param {(texts: string[]) => Promise<number[][]>} embed
 */
export async function serveEmbeddings(embed) {
  const server = fastify({ bodyLimit: 8 * 1024 * 1024 });
  server.post('/v1/embeddings', async ({ body }) => {
    const texts = Array.isArray(body.input) ? body.input : [body.input];
    const vectors = await embed(texts);
    return {
      object: 'list',
      model: body.model,
      data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    };
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  process.stdout.write(`listening on ${address}\n`);
}
