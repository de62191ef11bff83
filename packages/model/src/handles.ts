// The buffer handle as the kernels package passes it around.
import type { Tensor } from '@hadal/kernels'

export type BufferHandle = Tensor['buffer']
