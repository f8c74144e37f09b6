package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// peers is the Python process that times what others fit: see peers/peers.py.
type peers struct {
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
}

const (
	peersFolder = ".build/peers"
	peersScript = "benchmarks/peers/peers.py"
	peersNeeds  = "benchmarks/peers/requirements.txt"
)

// startPeers installs what peersNeeds pins into peersFolder, where that has not been done, and
// starts the process. Python 3 must be there, and the package registry the first time.
func startPeers(ctx context.Context, args ...string) (*peers, error) {
	python, err := installPeers(ctx)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, python, append([]string{peersScript}, args...)...)
	command.Stderr = os.Stderr
	// OpenBLAS finds out itself what suits the CPU; one of the two variables alone misleads it.
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "OPENBLAS_CORETYPE=") || strings.HasPrefix(variable, "OPENBLAS_L2_SIZE=")
	})
	p := &peers{command: command}
	if p.ask, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(out)
	if err := command.Start(); err != nil {
		return nil, err
	}
	if _, err := p.answers.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("%s ended before it was ready: %w", peersScript, err), p.stop())
	}
	return p, nil
}

// installPeers returns the Python of peersFolder.
func installPeers(ctx context.Context) (string, error) {
	python, mark := filepath.Join(peersFolder, "bin", "python"), filepath.Join(peersFolder, "requirements.txt")
	needs, err := os.ReadFile(peersNeeds)
	if err != nil {
		return "", fmt.Errorf("run it from the top of the repository: %w", err)
	}
	if has, err := os.ReadFile(mark); err == nil && bytes.Equal(has, needs) {
		return python, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", peersFolder},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", peersNeeds},
	} {
		run := exec.CommandContext(ctx, command[0], command[1:]...)
		run.Stderr = os.Stderr
		if err := run.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
		}
	}
	return python, os.WriteFile(mark, needs, 0o644)
}

// seconds asks for a measurement and returns the answer.
func (p *peers) seconds(what string) ([]float64, error) {
	if _, err := fmt.Fprintln(p.ask, what); err != nil {
		return nil, err
	}
	line, err := p.answers.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var all []float64
	for _, field := range strings.Fields(line) {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return nil, fmt.Errorf("%s answered %q: %w", what, line, err)
		}
		all = append(all, x)
	}
	return all, nil
}

func (p *peers) stop() error {
	_ = p.ask.Close()
	return p.command.Wait()
}
