"""Links to the two pages."""

from ops.runtime.pages import Pages


def test_links_lead_to_where_the_pages_were_served_last(project, monkeypatch) -> None:
    assert Pages.of(project) == Pages("http://127.0.0.1:3000", "http://127.0.0.1:5000")
    Pages("http://127.0.0.1:3001", "http://127.0.0.1:5001").write(project)
    assert Pages.of(project).mlflow_trainings().startswith("http://127.0.0.1:5001/#/experiments?")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example:5000/")
    assert Pages.of(project) == Pages("http://127.0.0.1:3001", "https://tracking.example:5000")


def test_every_link_to_mlflow_names_the_view_of_trainings_behind_its_route() -> None:
    pages = Pages(mlflow="http://m")
    assert [
        pages.mlflow_trainings(),
        pages.mlflow_experiment("1"),
        pages.mlflow_run("1", "r"),
        pages.mlflow_run("1", "r", "artifacts/samples/a cat.mp4"),
        pages.mlflow_checkpoint("1", "m-1"),
        pages.mlflow_model("a/b"),
        pages.mlflow_version("a/b", 2),
    ] == [
        "http://m/#/experiments?workflowType=machine_learning",
        "http://m/#/experiments/1/runs?workflowType=machine_learning",
        "http://m/#/experiments/1/runs/r?workflowType=machine_learning",
        "http://m/#/experiments/1/runs/r/artifacts/samples/a%20cat.mp4?workflowType=machine_learning",
        "http://m/#/experiments/1/models/m-1?workflowType=machine_learning",
        "http://m/#/models/a%2Fb?workflowType=machine_learning",
        "http://m/#/models/a%2Fb/versions/2?workflowType=machine_learning",
    ]
