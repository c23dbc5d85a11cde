import type { Exchange, HttpResponse } from './exchange.ts';

/** The integration that serves the requests of a method. */
export interface Integration {
  /**
   * Responds to a request.
   *
   * @throws GatewayError when the gateway has to respond in its place.
   */
  respond(exchange: Exchange): Promise<HttpResponse>;
}
