// Stands in for the native HTTP client of aws-lambda-ric (`rapid-client.node`), which needs a C++ compiler to install and
// does not build on macOS. Plain JavaScript, loaded as it is: stripping types would add 40 ms to every cold start.
const http = require('node:http');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// The Runtime API closes no connection while the host lives: without a host the environment has no purpose.
const createConnection = agent.createConnection.bind(agent);
agent.createConnection = (...args) => createConnection(...args).on('close', () => process.exit(1));

let posted = Promise.resolve();
let aheadMs = 0;

// Local mode can move the time of everything that runs, functions included.
const RealDate = Date;
class MovedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(MovedDate.now());
    else super(...args);
  }
  static now() {
    return RealDate.now() + aheadMs;
  }
}

function setTime(ahead) {
  aheadMs = Number(ahead) || 0;
  // A function whose time was never moved runs with the Date that it would have on AWS.
  if (aheadMs !== 0) globalThis.Date = MovedDate;
}

function call(method, path, body, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host,
      port,
      method,
      path: `/2018-06-01/runtime/invocation/${path}`,
      headers,
      agent,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers }));
    });
    request.end(body);
  });
}

function post(path, body, headers) {
  posted = call('POST', path, body, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
}

module.exports = {
  initializeClient() {},
  async next() {
    await posted;
    const response = await call('GET', 'next');
    setTime(response.headers['tensorgate-ahead-ms']);
    return response;
  },
  done(requestId, body) {
    post(`${requestId}/response`, body);
  },
  error(requestId, body) {
    const { errorType = 'Error' } = JSON.parse(body);
    post(`${requestId}/error`, body, { 'lambda-runtime-function-error-type': encodeURIComponent(errorType) });
  },
};
