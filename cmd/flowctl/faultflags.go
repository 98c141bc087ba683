package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

// faultFlags make stand-ins fail on demand.
type faultFlags struct {
	rules []string
	seed  uint64
}

const seedFlag = "fault-seed"

func (f *faultFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.rules, "fault", nil, "make a stand-in fail on demand by a `RULE`; may be given several times, see flowctl help faults")
	cmd.Flags().Uint64Var(&f.seed, seedFlag, 0, "repeat the faults of the run that printed this `NUMBER`")
}

// injector makes the faults of the flags, nil when there are none. A seed that
// was not given is chosen and told.
func (f *faultFlags) injector(cmd *cobra.Command, log *slog.Logger) (*fault.Injector, error) {
	seeded := cmd.Flags().Changed(seedFlag)
	if len(f.rules) == 0 {
		if seeded {
			return nil, usageError{fmt.Errorf("--%s does nothing without --fault; give a fault, as in --fault %s", seedFlag, fault.Example)}
		}
		return nil, nil
	}
	var rules []fault.Rule
	for _, text := range f.rules {
		r, err := fault.Parse(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--%w", err)}
		}
		rules = append(rules, r)
	}
	if !seeded {
		f.seed = uint64(rand.Uint32())
		fmt.Fprintf(cmd.ErrOrStderr(), "faults are drawn with --%s %d; give it again to repeat them\n", seedFlag, f.seed)
	}
	return fault.New(fault.Options{Seed: f.seed, Rules: rules, Log: log}), nil
}

const faultsHelp = `--fault SERVICE.OPERATION:FAULT=HOW,... makes a stand-in of ` + "`flowctl run`" + ` or
` + "`flowctl local`" + ` fail, to try what a flow does then. The services are sqs, dynamodb
and mqtt; their operations are those of the API (mqtt: connect, publish), or * for
all of a service. The faults, each for a share of the operations:

  throttle=50%   answer as the service does when it is asked too often
  error=10%      answer with status 500
  drop=5%        close the connection; the operation is not done
  drop-reply=5%  do the operation, close the connection instead of answering
  refuse=20%     mqtt.connect: answer that the server is unavailable
  duplicate=10%  sqs.ReceiveMessage: deliver the message twice (standard queues)
  delay=2s       wait first; delay=100ms..2s waits a random time between the two

What happens is drawn with the seed --fault-seed. The same seed, rules and order
of operations give the same faults. The making of an app's queues and tables at
the start is spared.

  flowctl run --fault 'dynamodb.GetItem:throttle=50%,delay=2s'
  flowctl run --fault 'sqs.*:drop-reply=10%' --fault mqtt.publish:drop=30%
  flowctl local --fault sqs.ReceiveMessage:duplicate=25% --fault-seed 7`

// newFaultsTopic is a page of help, not a command to run.
func newFaultsTopic() *cobra.Command {
	return &cobra.Command{Use: "faults", Short: "How to make stand-ins fail on demand", Long: faultsHelp}
}
