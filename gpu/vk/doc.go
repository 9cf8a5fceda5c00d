// Package vk is the border to Vulkan: the only unsafe code and the only C of
// this module. Types, constants, handles and the cold set-up calls come from
// github.com/vulkan-go/vulkan, used in the one way that is safe (a named
// create-info, freed after the call; out-parameters in plain locals). What that
// binding does unsafely (every call with a slice of structs), slowly or not at
// all goes through a small C shim with its own ABI header: see abi.h, and
// abi_test.go for its proof.
//
// The Vulkan library is loaded at run time, so programs build and start
// without one. Package gpu is the only importer; it holds all policy.
package vk
