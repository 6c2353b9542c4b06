//go:build !linux

package main

// maxrssUnit is in what getrusage counts memory: bytes on macOS.
func maxrssUnit() int64 { return 1 }
