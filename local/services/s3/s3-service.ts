import type { Readable } from 'node:stream';
import type {
  AwsCaller,
  AwsRequestHead,
  AwsResponse,
  AwsStreamResponse,
  AwsStreamService,
} from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import type { StoredObject } from './bucket-store.ts';
import { deleteObjects, listBuckets, listObjects, listUploads } from './listing-operations.ts';
import { abortUpload, completeUpload, copyPart, createUpload, listParts, uploadPart } from './multipart-operations.ts';
import type { ObjectEngine } from './object-engine.ts';
import { copyObject, existing, getObject, putObject } from './object-operations.ts';
import { permissionsOf, readS3Call, type S3Call } from './s3-call.ts';
import { S3Error } from './s3-error.ts';
import { emptyResponse } from './s3-response.ts';
import { renderXml } from './xml.ts';

/** S3's names of errors that all services have. */
const OWN_TYPES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'AccessDenied',
  UnrecognizedClientException: 'InvalidAccessKeyId',
};

/** S3's REST protocol, in path style, before the engine. */
export class S3Service implements AwsStreamService {
  readonly signingName = 's3';
  readonly #engine: ObjectEngine;

  constructor(engine: ObjectEngine) {
    this.#engine = engine;
  }

  permissions(request: AwsRequestHead): readonly IamRequest[] {
    try {
      const call = readS3Call(request);
      return call === undefined ? [] : permissionsOf(call);
    } catch (error) {
      // The response is made below: nothing is done for a request that cannot be understood.
      if (error instanceof S3Error) return [];
      throw error;
    }
  }

  async respondStream(request: AwsRequestHead, body: Readable, caller: AwsCaller): Promise<AwsStreamResponse> {
    try {
      const call = readS3Call(request);
      if (call === undefined) throw new S3Error('NotImplemented');
      return await this.#perform(call, body, caller);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      return render(error, request);
    }
  }

  error(status: number, type: string, message: string): AwsResponse {
    return document(status, { Code: OWN_TYPES[type] ?? type, Message: message });
  }

  async #perform(call: S3Call, body: Readable, caller: AwsCaller): Promise<AwsStreamResponse> {
    const { operation, key } = call;
    if (operation === 'ListBuckets') return listBuckets(this.#engine.buckets);
    const bucket = this.#engine.bucket(call.bucket);
    const { files } = this.#engine;
    switch (operation) {
      case 'HeadBucket':
        return emptyResponse(200, { 'x-amz-bucket-region': 'us-east-1' });
      case 'ListObjectsV2':
        return listObjects(call, bucket);
      case 'ListMultipartUploads':
        return listUploads(call, bucket);
      case 'DeleteObjects':
        return deleteObjects(call, bucket, body, caller);
      case 'GetObject':
      case 'HeadObject':
        return getObject(call, bucket, caller);
      case 'PutObject':
        return putObject(call, bucket, body, files);
      case 'CopyObject':
        return copyObject(call, bucket, this.#source(call, caller), files);
      case 'DeleteObject':
        await bucket.delete(key);
        return emptyResponse(204);
      case 'CreateMultipartUpload':
        return createUpload(call, bucket);
      case 'UploadPart':
        return uploadPart(call, bucket, body, files);
      case 'UploadPartCopy':
        return copyPart(call, bucket, this.#source(call, caller), files);
      case 'CompleteMultipartUpload':
        return completeUpload(call, bucket, body);
      case 'AbortMultipartUpload':
        return abortUpload(call, bucket);
      case 'ListParts':
        return listParts(call, bucket);
    }
  }

  #source({ source }: S3Call, caller: AwsCaller): StoredObject {
    if (source === undefined) throw new S3Error('InvalidRequest');
    return existing(this.#engine.bucket(source.bucket), source.key, caller);
  }
}

function render({ status, code, message, fields }: S3Error, { method, path }: AwsRequestHead): AwsResponse {
  const response = document(status, { Code: code, Message: message, ...fields, Resource: path });
  return method === 'HEAD' ? { ...response, body: '' } : response;
}

function document(status: number, fields: Readonly<Record<string, string | number>>): AwsResponse {
  return { status, headers: { 'content-type': 'application/xml' }, body: renderXml('Error', fields, false) };
}
