// The pip packages of CUDA leave out some headers that their others include. What host code needs of them is
// here, for distributed.cpp alone.
#pragma once
#define __host__
#define __device__
#define __global__
#define __shared__
#define __constant__
#define __managed__
#define __grid_constant__
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __location__(place)
#define __specialization_static
#define CUDARTAPI
#define CUDARTAPI_CDECL
