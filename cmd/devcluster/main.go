package main

import _ "github.com/flotilla-sh/flotilla/cmd/devcluster/components"

func main() {}
