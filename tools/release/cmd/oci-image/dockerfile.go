package main

import (
	"bytes"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// readDockerfile returns the configuration that the last stage sets, with these build arguments (NAME=VALUE).
//
// CMD and ENTRYPOINT must be JSON arrays, because the image has no shell. HEALTHCHECK is left out: it is not part of an
// OCI image configuration.
func readDockerfile(text []byte, given []string) (v1.Config, error) {
	config := v1.Config{}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return config, err
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return config, err
	}
	lex := shell.NewLex(parsed.EscapeToken)
	arguments := []string{}
	for _, command := range stages[len(stages)-1].Commands {
		if expanding, ok := command.(instructions.SupportsSingleWordExpansion); ok {
			environment := shell.EnvsFromSlice(append(append([]string{}, arguments...), config.Env...))
			if err := expanding.Expand(func(word string) (string, error) {
				result, _, err := lex.ProcessWord(word, environment)
				return result, err
			}); err != nil {
				return config, err
			}
		}
		switch command := command.(type) {
		case *instructions.ArgCommand:
			for _, argument := range command.Args {
				value := argument.ValueString()
				for _, pair := range given {
					if name, other, _ := strings.Cut(pair, "="); name == argument.Key {
						value = other
					}
				}
				arguments = append(arguments, argument.Key+"="+value)
			}
		case *instructions.EnvCommand:
			for _, pair := range command.Env {
				config.Env = append(config.Env, pair.Key+"="+pair.Value)
			}
		case *instructions.LabelCommand:
			if config.Labels == nil {
				config.Labels = map[string]string{}
			}
			for _, pair := range command.Labels {
				config.Labels[pair.Key] = pair.Value
			}
		case *instructions.ExposeCommand:
			if config.ExposedPorts == nil {
				config.ExposedPorts = map[string]struct{}{}
			}
			for _, port := range command.Ports {
				if !strings.Contains(port, "/") {
					port += "/tcp"
				}
				config.ExposedPorts[port] = struct{}{}
			}
		case *instructions.UserCommand:
			config.User = command.User
		case *instructions.WorkdirCommand:
			config.WorkingDir = command.Path
		case *instructions.EntrypointCommand:
			if command.PrependShell {
				return config, fmt.Errorf("ENTRYPOINT is not a JSON array: %s", command)
			}
			config.Entrypoint = command.CmdLine
		case *instructions.CmdCommand:
			if command.PrependShell {
				return config, fmt.Errorf("CMD is not a JSON array: %s", command)
			}
			config.Cmd = command.CmdLine
		case *instructions.CopyCommand, *instructions.HealthCheckCommand:
		default:
			return config, fmt.Errorf("%s in the last stage is not supported", command.Name())
		}
	}
	return config, nil
}
