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
	name   string
	bugs   []string
	flags  *pflag.FlagSet
	given  train.Tuned // what the flags hold
	copies map[string]func(to *train.Tuned)
	enums  [2]string // optimizer and decay rule, as text

}

// add gives c the flags, with the numbers of the default recipe.
func (f *recipeFlags) add(c *cobra.Command) {
	f.flags, f.given = c.Flags(), train.DefaultRecipe().Tuned
	f.enums = [2]string{string(f.given.Optimizer), string(f.given.DecayOn)}
	g, s := &f.given, f.flags
	s.StringVar(&f.name, "recipe", "paper", "how to train: "+strings.Join(train.Recipes(), ", ")+" or a file (see 'sparsenet recipes'); other flags change it")
	s.StringSliceVar(&f.bugs, "bugs", nil, "known bugs of the recipe's port to follow (see 'sparsenet recipes')")
	s.IntVar(&g.Batch, "batch", g.Batch, "images in a step")
	s.IntVar(&g.Epochs, "epochs", g.Epochs, "epochs to train")
	s.StringVar(&f.enums[0], "optimizer", f.enums[0], "sgd, adam, adamw or amsgrad")
	s.Float64Var(&g.Rate, "lr", g.Rate, "learning rate")
	s.StringVar(&g.Schedule, "schedule", g.Schedule, "learning rate over time: step, cosine, constant or plateau")
	s.Float64SliceVar(&g.Drops, "lr-drops", g.Drops, "shares of the epochs after which the step schedule lowers the rate")
	s.Float64Var(&g.DropFactor, "lr-factor", g.DropFactor, "what the step schedule multiplies the rate by")
	s.Float64Var(&g.PlateauFactor, "plateau-factor", g.PlateauFactor, "what the plateau schedule multiplies the rate by where the loss no longer falls")
	s.IntVar(&g.PlateauPatience, "plateau-patience", g.PlateauPatience, "epochs that the plateau schedule waits for a lower loss")
	s.Float64Var(&g.PlateauLeast, "plateau-least", g.PlateauLeast, "lowest rate of the plateau schedule")
	s.Float64Var(&g.Warmup, "warmup", g.Warmup, "epochs over which the rate rises from a tenth")
	s.Float64Var(&g.Momentum, "momentum", g.Momentum, "Nesterov momentum, or Adam's first decay rate")
	s.Float64Var(&g.Beta2, "beta2", g.Beta2, "Adam's second decay rate")
	s.Float64Var(&g.Epsilon, "epsilon", g.Epsilon, "Adam's, added to the root of the second moment")
	s.Float64Var(&g.Decay, "decay", g.Decay, "weight decay")
	s.StringVar(&f.enums[1], "decay-on", f.enums[1], "parameters that decay: all, weights (of convolutions and the linear layer) or points (stem and 1x1)")
	s.Float64Var(&g.Clip, "clip", g.Clip, "largest norm of the gradient; a longer one is scaled down (0: any)")
	s.Float64Var(&g.Average, "average", g.Average, "evaluate and keep a moving average of the parameters too, with this weight for the old value, as in 0.999 (0: none)")
	s.IntVar(&g.Pad, "pad", g.Pad, "black pixels around a training image before its random crop")
	s.BoolVar(&g.Flip, "flip", g.Flip, "mirror training images at random")
	s.Float64Var(&g.Smoothing, "smoothing", g.Smoothing, "label smoothing")
	s.IntVar(&g.Valid, "valid", g.Valid, "training images to hold out and evaluate after each epoch")
	f.copies = map[string]func(*train.Tuned){
		"batch": func(t *train.Tuned) { t.Batch = g.Batch }, "epochs": func(t *train.Tuned) { t.Epochs = g.Epochs },
		"optimizer": func(t *train.Tuned) { t.Optimizer = sparsenet.Optimizer(f.enums[0]) },
		"lr":        func(t *train.Tuned) { t.Rate = g.Rate }, "schedule": func(t *train.Tuned) { t.Schedule = g.Schedule },
		"lr-drops": func(t *train.Tuned) { t.Drops = g.Drops }, "lr-factor": func(t *train.Tuned) { t.DropFactor = g.DropFactor },
		"plateau-factor":   func(t *train.Tuned) { t.PlateauFactor = g.PlateauFactor },
		"plateau-patience": func(t *train.Tuned) { t.PlateauPatience = g.PlateauPatience },
		"plateau-least":    func(t *train.Tuned) { t.PlateauLeast = g.PlateauLeast },
		"warmup":           func(t *train.Tuned) { t.Warmup = g.Warmup }, "momentum": func(t *train.Tuned) { t.Momentum = g.Momentum },
		"beta2": func(t *train.Tuned) { t.Beta2 = g.Beta2 }, "epsilon": func(t *train.Tuned) { t.Epsilon = g.Epsilon },
		"decay": func(t *train.Tuned) { t.Decay = g.Decay }, "decay-on": func(t *train.Tuned) { t.DecayOn = sparsenet.DecayRule(f.enums[1]) },
		"clip": func(t *train.Tuned) { t.Clip = g.Clip }, "average": func(t *train.Tuned) { t.Average = g.Average },
		"pad": func(t *train.Tuned) { t.Pad = g.Pad }, "flip": func(t *train.Tuned) { t.Flip = g.Flip },
		"smoothing": func(t *train.Tuned) { t.Smoothing = g.Smoothing }, "valid": func(t *train.Tuned) { t.Valid = g.Valid },
	}
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
	f.flags.Visit(func(g *pflag.Flag) {
		if set := f.copies[g.Name]; set != nil {
			set(&r.Tuned)
		}
	})
	if err := r.Validate(); err != nil {
		return r, usageError{fmt.Errorf("recipe %s with the flags given: %w", f.name, err)}
	}
	return r, nil
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
