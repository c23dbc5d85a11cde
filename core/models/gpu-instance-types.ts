/** A GPU as the instance types of Amazon SageMaker carry it. */
export interface Gpu {
  readonly name: 'T4' | 'A10G' | 'L4' | 'L40S' | 'V100';
  /** Memory of one GPU in GiB. */
  readonly memoryGiB: number;
  /**
   * CUDA compute capability: Triton's releases name the least that they support.
   *
   * @see https://developer.nvidia.com/cuda-gpus
   */
  readonly computeCapability: number;
}

/** One instance type of Amazon SageMaker that carries GPUs. */
export interface GpuInstanceType {
  readonly gpu: Gpu;
  readonly gpus: number;
  readonly vcpus: number;
  readonly memoryGiB: number;
  /** US dollars an hour of real-time or asynchronous inference. */
  readonly usdPerHour: number;
  /** Whether it has local NVMe storage, which is encrypted by the hardware and takes no KMS key. */
  readonly hasLocalStorage: boolean;
}

const T4: Gpu = { name: 'T4', memoryGiB: 16, computeCapability: 7.5 };
const A10G: Gpu = { name: 'A10G', memoryGiB: 24, computeCapability: 8.6 };
const L4: Gpu = { name: 'L4', memoryGiB: 24, computeCapability: 8.9 };
const L40S: Gpu = { name: 'L40S', memoryGiB: 48, computeCapability: 8.9 };
const V100: Gpu = { name: 'V100', memoryGiB: 16, computeCapability: 7 };

function instance(gpu: Gpu, gpus: number, [vcpus, memoryGiB]: readonly [number, number], usdPerHour: number) {
  return { gpu, gpus, vcpus, memoryGiB, usdPerHour, hasLocalStorage: gpu !== V100 } satisfies GpuInstanceType;
}

/**
 * GPU instance types of Amazon SageMaker hosting with their on-demand prices in us-east-1, as of 2026-11. What an account
 * pays depends on its region and contracts: the numbers are for comparing, the bill is AWS's.
 *
 * @see https://aws.amazon.com/sagemaker/ai/pricing/
 */
export const GPU_INSTANCE_TYPES: Readonly<Record<string, GpuInstanceType>> = {
  'ml.g4dn.xlarge': instance(T4, 1, [4, 16], 0.7364),
  'ml.g4dn.2xlarge': instance(T4, 1, [8, 32], 0.94),
  'ml.g4dn.4xlarge': instance(T4, 1, [16, 64], 1.505),
  'ml.g4dn.8xlarge': instance(T4, 1, [32, 128], 2.72),
  'ml.g4dn.12xlarge': instance(T4, 4, [48, 192], 4.89),
  'ml.g4dn.16xlarge': instance(T4, 1, [64, 256], 5.44),
  'ml.g5.xlarge': instance(A10G, 1, [4, 16], 1.408),
  'ml.g5.2xlarge': instance(A10G, 1, [8, 32], 1.515),
  'ml.g5.4xlarge': instance(A10G, 1, [16, 64], 2.03),
  'ml.g5.8xlarge': instance(A10G, 1, [32, 128], 3.06),
  'ml.g5.12xlarge': instance(A10G, 4, [48, 192], 7.09),
  'ml.g5.16xlarge': instance(A10G, 1, [64, 256], 5.12),
  'ml.g5.24xlarge': instance(A10G, 4, [96, 384], 10.18),
  'ml.g5.48xlarge': instance(A10G, 8, [192, 768], 20.36),
  'ml.g6.xlarge': instance(L4, 1, [4, 16], 1.1267),
  'ml.g6.2xlarge': instance(L4, 1, [8, 32], 1.222),
  'ml.g6.4xlarge': instance(L4, 1, [16, 64], 1.654),
  'ml.g6.8xlarge': instance(L4, 1, [32, 128], 2.518),
  'ml.g6.12xlarge': instance(L4, 4, [48, 192], 5.752),
  'ml.g6.16xlarge': instance(L4, 1, [64, 256], 4.246),
  'ml.g6.24xlarge': instance(L4, 4, [96, 384], 8.344),
  'ml.g6.48xlarge': instance(L4, 8, [192, 768], 16.688),
  'ml.g6e.xlarge': instance(L40S, 1, [4, 32], 2.6054),
  'ml.g6e.2xlarge': instance(L40S, 1, [8, 64], 2.8025),
  'ml.g6e.4xlarge': instance(L40S, 1, [16, 128], 3.7553),
  'ml.p3.2xlarge': instance(V100, 1, [8, 61], 3.825),
  'ml.p3.8xlarge': instance(V100, 4, [32, 244], 14.688),
};

/** The GPU instance type that a manifest gets which names none: the cheapest one with room and bfloat16. */
export const DEFAULT_INSTANCE_TYPE = 'ml.g5.xlarge';

/**
 * CUDA compute capability that the containers of AWS need at least: Triton 25.09 and Text Embeddings Inference 1.9.
 *
 * @see https://docs.nvidia.com/deeplearning/triton-inference-server/release-notes/rel-25-08.html
 * @see https://github.com/huggingface/text-embeddings-inference#docker-images
 */
export const MIN_COMPUTE_CAPABILITY = 7.5;

/** Looks an instance type up; undefined if it is unknown or has no GPU. */
export function gpuInstanceType(name: string): GpuInstanceType | undefined {
  return Object.hasOwn(GPU_INSTANCE_TYPES, name) ? GPU_INSTANCE_TYPES[name] : undefined;
}
