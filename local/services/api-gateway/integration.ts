import type { Exchange, GatewayAnswer } from './exchange.ts';

/** The integration that serves the requests of a method. */
export interface Integration {
  /**
   * Answers a request.
   *
   * @throws GatewayError when the gateway has to answer in its place.
   */
  answer(exchange: Exchange): Promise<GatewayAnswer>;
}
