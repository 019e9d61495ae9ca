"""SQL that a server runs later: its startup script."""

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo_stack.adapters.sql.server import SqlDatabase

ADDRESS = DatabaseAddress(host="127.0.0.1", port=1, database="", user="cv_yolo", password="a-password")


def test_a_new_server_creates_the_databases_and_one_user_with_all_rights_in_them() -> None:
    assert SqlDatabase(ADDRESS).startup_script(["zenml", "mlflow"]).splitlines() == [
        "CREATE DATABASE IF NOT EXISTS `zenml`;",
        "CREATE DATABASE IF NOT EXISTS `mlflow`;",
        "CREATE USER IF NOT EXISTS 'cv_yolo'@'%';",
        "ALTER USER 'cv_yolo'@'%' IDENTIFIED BY 'a-password';",
        "GRANT ALL ON `zenml`.* TO 'cv_yolo'@'%';",
        "GRANT ALL ON `mlflow`.* TO 'cv_yolo'@'%';",
    ]
