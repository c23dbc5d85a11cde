import type { APIGatewayProxyEvent } from 'aws-lambda';

/** A request below `/v1/jobs` or `/v1/webhooks`, as the gateway sends it. */
export type ServeJobsEvent = APIGatewayProxyEvent;
