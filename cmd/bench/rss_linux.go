package main

// maxrssUnit is in what getrusage counts memory: kilobytes on Linux.
func maxrssUnit() int64 { return 1024 }
