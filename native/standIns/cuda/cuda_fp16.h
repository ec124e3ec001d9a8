// The real one needs headers that no pip package of LibTorch's brings. Host code here only names the types.
#pragma once
struct __half;
struct __half2;
typedef __half half;
typedef __half2 half2;
