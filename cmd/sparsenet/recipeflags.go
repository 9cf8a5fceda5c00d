package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// recipeFlags say how to train: a recipe by name, and flags that change it.
type recipeFlags struct {
	name  string
	bugs  []string
	flags *pflag.FlagSet
	given train.Tuned // the defaults, and what the user set
}

// add gives c the flags, with the numbers of the default recipe.
func (f *recipeFlags) add(c *cobra.Command) {
	f.flags, f.given = c.Flags(), train.DefaultRecipe().Tuned
	f.flags.StringVar(&f.name, "recipe", "paper", "how to train: "+strings.Join(train.Recipes(), ", ")+" or a file (see 'sparsenet recipes'); other flags change it")
	f.flags.StringSliceVar(&f.bugs, "bugs", nil, "known bugs of the recipe's port to follow (see 'sparsenet recipes')")
	addTuned(f.flags, &f.given)
}

// addTuned gives s a flag for each number of t.
func addTuned(s *pflag.FlagSet, t *train.Tuned) {
	s.IntVar(&t.Batch, "batch", t.Batch, "images in a step")
	s.IntVar(&t.Epochs, "epochs", t.Epochs, "epochs to train")
	s.StringVar((*string)(&t.Optimizer), "optimizer", string(t.Optimizer), "sgd, adam, adamw or amsgrad")
	s.Float64Var(&t.Rate, "lr", t.Rate, "learning rate")
	s.StringVar(&t.Schedule, "schedule", t.Schedule, "learning rate over time: step, cosine, constant or plateau")
	s.Float64SliceVar(&t.Drops, "lr-drops", t.Drops, "shares of the epochs after which the step schedule lowers the rate")
	s.Float64Var(&t.DropFactor, "lr-factor", t.DropFactor, "what the step schedule multiplies the rate by")
	s.Float64Var(&t.PlateauFactor, "plateau-factor", t.PlateauFactor, "what the plateau schedule multiplies the rate by where the loss no longer falls")
	s.IntVar(&t.PlateauPatience, "plateau-patience", t.PlateauPatience, "epochs that the plateau schedule waits for a lower loss")
	s.Float64Var(&t.PlateauLeast, "plateau-least", t.PlateauLeast, "lowest rate of the plateau schedule")
	s.Float64Var(&t.Warmup, "warmup", t.Warmup, "epochs over which the rate rises from a tenth")
	s.Float64Var(&t.Momentum, "momentum", t.Momentum, "Nesterov momentum, or Adam's first decay rate")
	s.Float64Var(&t.Beta2, "beta2", t.Beta2, "Adam's second decay rate")
	s.Float64Var(&t.Epsilon, "epsilon", t.Epsilon, "Adam's, added to the root of the second moment")
	s.Float64Var(&t.Decay, "decay", t.Decay, "weight decay")
	s.StringVar((*string)(&t.DecayOn), "decay-on", string(t.DecayOn), "parameters that decay: all, weights (of convolutions and the linear layer) or points (stem and 1x1)")
	s.Float64Var(&t.Clip, "clip", t.Clip, "largest norm of the gradient; a longer one is scaled down (0: any)")
	s.Float64Var(&t.Average, "average", t.Average, "evaluate and keep a moving average of the parameters too, with this weight for the old value, as in 0.999 (0: none)")
	s.StringVar(&t.PlateauOn, "plateau-on", t.PlateauOn, "what no longer improves on a plateau: loss or accuracy, of the held-out images if there are any")
	s.IntVar(&t.Pad, "pad", t.Pad, "pixels around a training image before its random crop")
	s.StringVar(&t.Fill, "fill", t.Fill, "what those pixels are: black, or edge for the nearest of the image")
	s.BoolVar(&t.Flip, "flip", t.Flip, "mirror training images at random")
	s.Float64Var(&t.Smoothing, "smoothing", t.Smoothing, "label smoothing")
	s.IntVar(&t.Valid, "valid", t.Valid, "training images to hold out and evaluate after each epoch")
}

// recipe returns the recipe of the flags. Its errors are usage errors, but for
// those of a file.
func (f *recipeFlags) recipe() (train.Recipe, error) {
	r, err := train.OpenRecipe(f.name)
	if err == nil {
		r, err = r.WithBugs(f.bugs...)
	}
	if err != nil {
		return r, usageError{err}
	}
	tuned := pflag.NewFlagSet("", pflag.ContinueOnError)
	addTuned(tuned, &r.Tuned)
	f.flags.Visit(func(given *pflag.Flag) {
		if tuned.Lookup(given.Name) != nil && err == nil {
			err = tuned.Set(given.Name, flagText(given))
		}
	})
	if err != nil {
		return r, usageError{err}
	}
	if err := r.Validate(); err != nil {
		return r, usageError{fmt.Errorf("recipe %s with the flags given: %w", f.name, err)}
	}
	return r, nil
}

// flagText is the value of a flag as the command line has it.
func flagText(f *pflag.Flag) string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	return f.Value.String()
}

// adapt gives a network what a recipe says of it: the width of the stem and
// dropout, unless the user or a preset says otherwise.
func (f *recipeFlags) adapt(r train.Recipe, c sparsenet.Config) (sparsenet.Config, error) {
	if r.InitGrowths != train.DefaultRecipe().InitGrowths && !f.flags.Changed("init-channels") {
		c.InitChannels = r.InitGrowths * c.Growth[0]
	}
	if r.Dropout > 0 && !f.flags.Changed("dropout") {
		c.Dropout = r.Dropout
	}
	c, err := c.Resolve()
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// newRecipesCommand makes `sparsenet recipes`.
func newRecipesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recipes",
		Short: "List the recipes that train can follow, and the bugs of the ports that they come from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []train.Recipe
			for _, name := range train.Recipes() {
				r, err := train.OpenRecipe(name)
				if err != nil {
					return err
				}
				all = append(all, r)
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, all)
			}
			return printRecipes(cmd.OutOrStdout(), all)
		},
	}
}

// imagesText says what a recipe does with images.
func imagesText(t train.Tuned) string {
	text := fmt.Sprintf("padded by %d (%s) and cropped", t.Pad, t.Fill)
	if t.Flip {
		text += ", mirrored"
	}
	text += ", normalised by " + t.Normalize
	if t.Shift != 0 {
		text += fmt.Sprintf("%+g", t.Shift)
	}
	if t.Valid > 0 {
		text += fmt.Sprintf("; %d held out", t.Valid)
	}
	return text
}

func printRecipes(out io.Writer, all []train.Recipe) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range all {
		rates, err := r.Rates()
		if err != nil {
			return err
		}
		rate := rates.String()
		if p := r.Plateau(); p != nil {
			rate += ", " + p.String()
		}
		fmt.Fprintf(w, "%s\t%s\n", r.Name, r.About)
		fmt.Fprintf(w, "\tbatch %d, %d epochs, %s, rate %s, decay %g on %s, start %s\n", r.Batch, r.Epochs, r.Optimizer, rate, r.Decay, r.DecayOn, r.Init)
		fmt.Fprintf(w, "\timages %s\n", imagesText(r.Tuned))
		for _, b := range r.Bugs {
			offered := "--bugs " + b.Name
			if len(b.Set) == 0 {
				offered = b.Name
			}
			fmt.Fprintf(w, "\tbug, off: %s: %s\n", offered, b.About)
		}
	}
	return w.Flush()
}
