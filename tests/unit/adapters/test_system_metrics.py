"""System metrics have the names that MLflow's pages look for, and cost next to nothing."""

import math
import time

from cv_yolo.adapters import machine as system_metrics
from cv_yolo.adapters.machine import SystemMeter


def test_cpu_memory_and_network_are_read_under_the_names_of_mlflow() -> None:
    figures = SystemMeter(gpus=str).read()
    assert set(figures) == {
        "system/cpu_utilization_percentage",
        "system/system_memory_usage_megabytes",
        "system/system_memory_usage_percentage",
        "system/network_receive_megabytes",
        "system/network_transmit_megabytes",
    }
    assert all(math.isfinite(value) and value >= 0 for value in figures.values())
    assert figures["system/cpu_utilization_percentage"] <= 100
    assert figures["system/system_memory_usage_megabytes"] > 1


def test_two_meters_do_not_disturb_each_other() -> None:
    one, other = SystemMeter(gpus=str), SystemMeter(gpus=str)
    end = time.process_time() + 0.3
    while time.process_time() < end:
        other.read()
    assert one.read()["system/cpu_utilization_percentage"] > 0


def test_two_readings_in_a_row_do_not_divide_by_zero(monkeypatch) -> None:
    times = system_metrics.psutil.cpu_times()
    monkeypatch.setattr(system_metrics.psutil, "cpu_times", lambda: times)
    meter = SystemMeter(gpus=str)
    assert meter.read()["system/cpu_utilization_percentage"] == 0.0


def test_gpus_are_read_each_by_its_index_and_what_one_does_not_measure_is_left_out() -> None:
    figures = SystemMeter(gpus=lambda: "0, 87, 1234, 301.5\n1, 3, 80, [N/A]\n").read()
    assert {name: value for name, value in figures.items() if "gpu" in name} == {
        "system/gpu_0_utilization_percentage": 87.0,
        "system/gpu_0_memory_usage_megabytes": 1234.0,
        "system/gpu_0_power_usage_watts": 301.5,
        "system/gpu_1_utilization_percentage": 3.0,
        "system/gpu_1_memory_usage_megabytes": 80.0,
    }


def test_a_driver_that_does_not_answer_gives_no_figures(monkeypatch, tmp_path) -> None:
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not [name for name in SystemMeter().read() if "gpu" in name]
