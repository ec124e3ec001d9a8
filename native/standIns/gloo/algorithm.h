// LibTorch's packages hold gloo itself but not its headers. c10d's classes keep gloo's objects behind
// pointers alone, so their layout depends on nothing that is declared here: these headers name the types, and
// what inline functions of c10d call.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
