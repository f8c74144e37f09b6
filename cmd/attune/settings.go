package main

import (
	"io"
	"os"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
)

// settings reads a configuration file: flags by their names, under their command's name
// or at the top for every command that has them. What the environment sets stays.
func settings(r io.Reader) (kong.Resolver, error) {
	file, err := kongyaml.Loader(r)
	if err != nil {
		return nil, err
	}
	return kong.ResolverFunc(func(command *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if _, set := os.LookupEnv(name); set {
				return nil, nil
			}
		}
		value, err := file.Resolve(command, parent, flag)
		if value == nil && err == nil {
			return file.Resolve(command, command.Path[0], flag)
		}
		return value, err
	}), nil
}
