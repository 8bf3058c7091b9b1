package main

import "github.com/hearth-monitoring/hearth/test/bench/cluster"

func rows() []cluster.Stage[stages] {
	return []cluster.Stage[stages]{
		{Name: "**total**", Of: func(s stages) float64 { return s.total }},
		{Name: "without Prometheus' reload", Of: func(s stages) float64 { return s.total - s.reload }},
		{Name: "watch", Of: func(s stages) float64 { return s.watch }},
		{Name: "judge, render, publish", Of: func(s stages) float64 { return s.publish }},
		{Name: "fetch", Of: func(s stages) float64 { return s.fetch }},
		{Name: "reload", Of: func(s stages) float64 { return s.reload }},
		{Name: "rest", Of: func(s stages) float64 { return s.rest }},
	}
}
