// See cuda_fp16.h.
#pragma once
